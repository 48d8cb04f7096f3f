using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>
/// <see cref="Op.LoraMixture"/> on a GPU, as in <see cref="LoraMixtureKernel"/>: with h_j = A_j x and f_j = scale · w_j,
/// y = y0 + Σ_j f_j B_jᵀ h_j.
/// </summary>
/// <remarks>
/// <code>
///   Dots    h[row, j, p] = A_j[p]·x          a group for each number: 128 threads walk the row, then add up as a tree
///   Spread  y[row] = y0 + Σ_j Σ_p f h B_j[p]  a thread for each number of y, LoRAs and ranks in order
///   Factors h·g, f·g and f·h                  a thread for each row and LoRA
///   Columns dA_j[p] += Σ_rows dh x            a thread for each number of dA, rows in order
/// </code>
/// Every sum has one order, which no other row changes. Each reads a number of A, B or x for one multiply-add: at most half an
/// operation for a byte where nothing is in the caches, which a sequence's few LoRAs are. Rows without LoRA cost a copy.
/// </remarks>
internal static class LoraMixtureGpu
{
    private const int DotThreads = 128;
    private const int Threads = 128;

    private static readonly GpuKernel<LoraMixtureArguments> DotsKernel = new(Dots);
    private static readonly GpuKernel<LoraMixtureArguments> SpreadKernel = new(Spread);
    private static readonly GpuKernel<LoraMixtureArguments> FactorsKernel = new(Factors);
    private static readonly GpuKernel<LoraMixtureArguments> ColumnsKernel = new(Columns);
    private static readonly GpuKernel<LoraMixtureArguments> WeightsKernel = new(Weights);

    /// <summary>y, and h for the way back.</summary>
    public static void Forward(GpuDevice gpu, in LoraMixtureState s)
    {
        LoraMixtureArguments a = Start(gpu, s);
        a.Hidden = gpu.Write(s.Hidden);
        DotRows(gpu, a, s.X, s.A, a.Hidden);
        if (s.AddTo is { } addTo)
        {
            (a.From, a.HasFrom) = (gpu.Read(addTo), 1);
        }

        a.Weighted = 1;
        SpreadRows(gpu, a, a.Hidden, s.B, gpu.Write(s.Y), s.X.Rows);
    }

    /// <summary>The gradients of the state, see <see cref="LoraMixtureKernel.Backward"/>.</summary>
    public static void Backward(GpuDevice gpu, in LoraMixtureState s, bool clearA, bool clearB, bool clearWeights)
    {
        LoraMixtureArguments a = Start(gpu, s);
        a.Hidden = gpu.Read(s.Hidden);
        a.Gradient = gpu.Write(s.Dhidden!);
        a.Scaled = gpu.Write(s.Scaled!);
        a.Products = gpu.Write(s.Products!);
        DotRows(gpu, a, s.Dy!, s.B, a.Gradient);
        FactorsKernel.Launch(gpu, Groups(a.Rows * a.K), Threads, a);
        if (s.Dx is { } dx)
        {
            LoraMixtureArguments spread = a;
            ArrayView<float> target = gpu.Sink(dx, s.DxIsFresh);
            (spread.From, spread.HasFrom) = (target, s.DxIsFresh ? 0 : 1);
            SpreadRows(gpu, spread, a.Gradient, s.A, target, s.X.Rows);
        }

        if (s.Da is { } da)
        {
            AddColumns(gpu, a, a.Gradient, s.X, Sink(gpu, da, clearA));
        }

        if (s.Db is { } db)
        {
            AddColumns(gpu, a, a.Scaled, s.Dy!, Sink(gpu, db, clearB));
        }

        if (s.Dweights is { } dweights)
        {
            a.Target = Sink(gpu, dweights, clearWeights);
            WeightsKernel.Launch(gpu, Groups(s.Weights.Length), Threads, a);
        }
    }

    // target[row, j, p] = matrix_j[p]·source[row]; zero for a row without LoRA.
    internal static void Dots(LoraMixtureArguments a)
    {
        ArrayView<float> sums = SharedMemory.Allocate1D<float>(DotThreads);
        int slot = Grid.IdxX;
        int row = Grid.IdxY;
        int thread = Group.IdxX;
        int owner = a.Numbers[row];
        float sum = 0;
        if (owner >= 0)
        {
            int lora = a.Numbers[a.Indices + (owner * a.K) + (slot / a.Rank)];
            int matrix = ((lora * a.Rank) + (slot % a.Rank)) * a.Width;
            int source = row * a.Width;
            for (int i = thread; i < a.Width; i += DotThreads)
            {
                sum = GpuMath.Fma(a.Source[source + i], a.Matrix[matrix + i], sum);
            }
        }

        sums[thread] = sum;
        Group.Barrier();
        for (int half = DotThreads / 2; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                sums[thread] += sums[thread + half];
            }

            Group.Barrier();
        }

        if (thread == 0)
        {
            a.Target[(row * a.K * a.Rank) + slot] = sums[0];
        }
    }

    // target[row] = from[row] + Σ_j Σ_p source[row, j, p]·matrix_j[p], the source times f_j first if weighted.
    internal static void Spread(LoraMixtureArguments a)
    {
        int column = (Grid.IdxX * Threads) + Group.IdxX;
        int row = Grid.IdxY;
        if (column >= a.Width)
        {
            return;
        }

        int at = (row * a.Width) + column;
        float sum = a.HasFrom != 0 ? a.From[at] : 0;
        int owner = a.Numbers[row];
        if (owner >= 0)
        {
            int source = row * a.K * a.Rank;
            for (int j = 0; j < a.K; j++)
            {
                float factor = a.Weighted != 0 ? a.Scale * a.Weight[(owner * a.K) + j] : 1f;
                int matrix = (a.Numbers[a.Indices + (owner * a.K) + j] * a.Rank * a.Width) + column;
                for (int p = 0; p < a.Rank; p++)
                {
                    sum = GpuMath.Fma(factor * a.Source[source], a.Matrix[matrix], sum);
                    source++;
                    matrix += a.Width;
                }
            }
        }

        a.Target[at] = sum;
    }

    // h·g for the gradient of w; f·g for dx and dA; f·h for dB.
    internal static void Factors(LoraMixtureArguments a)
    {
        int index = (Grid.IdxX * Threads) + Group.IdxX;
        if (index >= a.Rows * a.K)
        {
            return;
        }

        int owner = a.Numbers[index / a.K];
        float factor = owner < 0 ? 0 : a.Scale * a.Weight[(owner * a.K) + (index % a.K)];
        float product = 0;
        for (int at = index * a.Rank; at < (index + 1) * a.Rank; at++)
        {
            float hidden = a.Hidden[at];
            float gradient = a.Gradient[at];
            product = GpuMath.Fma(hidden, gradient, product);
            a.Gradient[at] = factor * gradient;
            a.Scaled[at] = factor * hidden;
        }

        a.Products[index] = product;
    }

    // target[lora, p] += Σ_rows source[row, j, p]·matrix[row], over the rows that use the LoRA, in their order.
    internal static void Columns(LoraMixtureArguments a)
    {
        int column = (Grid.IdxX * Threads) + Group.IdxX;
        int lora = Grid.IdxY / a.Rank;
        int p = Grid.IdxY % a.Rank;
        int end = a.Numbers[a.UseStarts + lora + 1];
        if (column >= a.Width || a.Numbers[a.UseStarts + lora] == end)
        {
            return;
        }

        int at = (Grid.IdxY * a.Width) + column;
        float sum = a.Target[at];
        for (int use = a.Numbers[a.UseStarts + lora]; use < end; use++)
        {
            int first = a.Numbers[a.Uses + (3 * use)];
            int count = a.Numbers[a.Uses + (3 * use) + 1];
            int j = a.Numbers[a.Uses + (3 * use) + 2];
            for (int row = first; row < first + count; row++)
            {
                sum = GpuMath.Fma(a.Source[(((row * a.K) + j) * a.Rank) + p], a.Matrix[(row * a.Width) + column], sum);
            }
        }

        a.Target[at] = sum;
    }

    // dw[s, j] += scale · Σ_rows h·g, over the rows of the sequence in their order.
    internal static void Weights(LoraMixtureArguments a)
    {
        int index = (Grid.IdxX * Threads) + Group.IdxX;
        if (index >= a.Sequences * a.K)
        {
            return;
        }

        int lora = a.Numbers[a.Indices + index];
        float sum = a.Target[index];
        for (int use = a.Numbers[a.UseStarts + lora]; use < a.Numbers[a.UseStarts + lora + 1]; use++)
        {
            int first = a.Numbers[a.Uses + (3 * use)];
            if (a.Numbers[first] == index / a.K)
            {
                int count = a.Numbers[a.Uses + (3 * use) + 1];
                for (int row = first; row < first + count; row++)
                {
                    sum = GpuMath.Fma(a.Scale, a.Products[(row * a.K) + (index % a.K)], sum);
                }
            }
        }

        a.Target[index] = sum;
    }

    private static LoraMixtureArguments Start(GpuDevice gpu, in LoraMixtureState s)
    {
        LoraAllocation allocation = s.Allocation;
        ReadOnlySpan<int> numbers = allocation.Numbers(out int indices, out int useStarts, out int uses);
        return new LoraMixtureArguments
        {
            Numbers = gpu.Indices(numbers),
            Indices = indices,
            UseStarts = useStarts,
            Uses = uses,
            Rows = s.X.Rows,
            Rank = s.A.Shape[1],
            K = allocation.K,
            Sequences = allocation.Sequences,
            Loras = allocation.Largest + 1,
            Scale = s.Scale,
            Weight = gpu.Read(s.Weights),
        };
    }

    private static void DotRows(GpuDevice gpu, LoraMixtureArguments a, Tensor source, Tensor matrix, ArrayView<float> target)
    {
        (a.Source, a.Matrix, a.Target, a.Width) = (gpu.Read(source), gpu.Read(matrix), target, matrix.Columns);
        DotsKernel.Launch(gpu, new Index3D(a.K * a.Rank, a.Rows, 1), new Index3D(DotThreads, 1, 1), a);
    }

    private static void SpreadRows(GpuDevice gpu, LoraMixtureArguments a, ArrayView<float> source, Tensor matrix, ArrayView<float> target, int rows)
    {
        (a.Source, a.Matrix, a.Target, a.Width) = (source, gpu.Read(matrix), target, matrix.Columns);
        SpreadKernel.Launch(gpu, new Index3D(Groups(a.Width), rows, 1), new Index3D(Threads, 1, 1), a);
    }

    private static void AddColumns(GpuDevice gpu, LoraMixtureArguments a, ArrayView<float> factors, Tensor rows, ArrayView<float> target)
    {
        (a.Source, a.Matrix, a.Target, a.Width) = (factors, gpu.Read(rows), target, rows.Columns);
        ColumnsKernel.Launch(gpu, new Index3D(Groups(a.Width), a.Loras * a.Rank, 1), new Index3D(Threads, 1, 1), a);
    }

    private static ArrayView<float> Sink(GpuDevice gpu, Tensor gradient, bool fresh)
    {
        ArrayView<float> view = gpu.Sink(gradient, fresh);
        if (fresh)
        {
            gpu.Clear(view); // LoRAs that nobody uses have a gradient of zero
        }

        return view;
    }

    private static int Groups(int length) => (length + Threads - 1) / Threads;
}

/// <summary>Of <see cref="LoraMixtureGpu"/>. Numbers are the allocation's, see <see cref="LoraAllocation.Numbers"/>.</summary>
internal struct LoraMixtureArguments
{
    public ArrayView<int> Numbers;
    public ArrayView<float> Source;
    public ArrayView<float> Matrix;
    public ArrayView<float> Target;
    public ArrayView<float> From;
    public ArrayView<float> Weight;
    public ArrayView<float> Hidden;
    public ArrayView<float> Gradient;
    public ArrayView<float> Scaled;
    public ArrayView<float> Products;
    public int Indices;
    public int UseStarts;
    public int Uses;
    public int Rows;
    public int Width;
    public int Rank;
    public int K;
    public int Sequences;
    public int Loras;
    public int HasFrom;
    public int Weighted;
    public float Scale;
}
