using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <summary><see cref="Op.LayerNorm"/> and, without mean and bias, <see cref="Op.RmsNorm"/> on a GPU: a group a row.</summary>
/// <remarks>
/// <code>
///   row   ┌ 256 ┬ 256 ┬ … ┐     A row is read two or three times, from the first-level cache after the first; sums go through shared memory.
///         └─────┴─────┴───┘     The gradients of gain and bias are sums over rows: tiles first, then the tiles from top to
///                               bottom, as in ColumnsGpu; every order depends on the shape alone.
/// </code>
/// About 8 operations for 8 bytes forward, 12 for 12 backward, 4 for 8 in the parameters' sums: bound by memory.
/// </remarks>
internal static class NormsGpu
{
    private const int GroupSize = GpuReduce.GroupSize;

    private static readonly GpuKernel<NormArguments> Values = new(Forward);
    private static readonly GpuKernel<NormArguments> Slopes = new(Backward);
    private static readonly GpuKernel<NormArguments> Tiles = new(SumTiles);

    /// <summary>y, and each row's 1/√(σ² + ε) (after its mean, where there is a bias) for the backward pass.</summary>
    public static void Forward(GpuDevice gpu, Tensor x, Tensor gain, Tensor? bias, Tensor y, Tensor? moments, float epsilon)
    {
        NormArguments arguments = new()
        {
            X = gpu.Read(x),
            Gain = gpu.Read(gain),
            Y = gpu.Write(y),
            Rows = x.Rows,
            Columns = x.Columns,
            Epsilon = epsilon,
            Centered = bias is null ? 0 : 1,
            Keep = moments is null ? 0 : 1,
        };
        arguments.Bias = bias is null ? arguments.Gain : gpu.Read(bias);
        arguments.Moments = moments is null ? arguments.Gain : gpu.Write(moments);
        Values.Launch(gpu, x.Rows, GroupSize, arguments);
    }

    /// <summary>Adds to the gradients of x, gain and bias where they are wanted.</summary>
    public static void Backward(GpuDevice gpu, Tensor x, Tensor gain, Tensor? bias, Tensor moments, Tensor dy, bool centered)
    {
        NormArguments arguments = new()
        {
            X = gpu.Read(x),
            Gain = gpu.Read(gain),
            Moments = gpu.Read(moments),
            Dy = gpu.Read(dy),
            Rows = x.Rows,
            Columns = x.Columns,
            Centered = centered ? 1 : 0,
        };
        arguments.Bias = arguments.Gain;
        if (Tape.Wants(x))
        {
            Tensor dx = x.GradSink(out bool fresh);
            arguments.Y = gpu.Sink(dx, fresh);
            arguments.Fresh = fresh ? 1 : 0;
            Slopes.Launch(gpu, x.Rows, GroupSize, arguments);
        }

        if (!Tape.Wants(gain, bias))
        {
            return;
        }

        // Partial sums [2, blocks, C]: those for the gain, then those for the bias.
        int size = ColumnsGpu.RowsOfBlock(x.Rows);
        int blocks = RowBlocks.Count(x.Rows, size);
        int half = blocks * x.Columns;
        arguments.Y = gpu.Write(Tape.NewTensor(new Shape(Math.Max(1, 2 * half))));
        arguments.RowsOfBlock = size;
        arguments.Half = half;
        Tiles.Launch(gpu, new Index3D(GpuElementwise.Groups(x.Columns), blocks, 1), new Index3D(GroupSize, 1, 1), arguments);
        if (Tape.Wants(gain))
        {
            Tensor dgain = gain.GradSink(out bool fresh);
            ColumnsGpu.AddBlocks(gpu, arguments.Y, blocks, dgain, fresh);
        }

        if (bias is not null && Tape.Wants(bias))
        {
            Tensor dbias = bias.GradSink(out bool fresh);
            ColumnsGpu.AddBlocks(gpu, arguments.Y.SubView(half, half), blocks, dbias, fresh);
        }
    }

    internal static void Forward(NormArguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupSize);
        int row = Grid.IdxX;
        ArrayView<float> x = a.X.SubView((long)row * a.Columns, a.Columns);
        ArrayView<float> y = a.Y.SubView((long)row * a.Columns, a.Columns);
        float mean = 0;
        if (a.Centered != 0)
        {
            float sum = 0;
            for (int i = Group.IdxX; i < a.Columns; i += GroupSize)
            {
                sum += x[i];
            }

            mean = GpuReduce.Sum(sum, shared) / a.Columns;
        }

        // Two passes: E[x²] − μ² would cancel for rows far from zero.
        float squares = 0;
        for (int i = Group.IdxX; i < a.Columns; i += GroupSize)
        {
            float deviation = x[i] - mean;
            squares = GpuMath.Fma(deviation, deviation, squares);
        }

        float inverse = 1 / XMath.Sqrt((GpuReduce.Sum(squares, shared) / a.Columns) + a.Epsilon);
        for (int i = Group.IdxX; i < a.Columns; i += GroupSize)
        {
            float z = (x[i] - mean) * inverse;
            y[i] = a.Centered != 0 ? GpuMath.Fma(z, a.Gain[i], a.Bias[i]) : z * a.Gain[i];
        }

        if (a.Keep != 0 && Group.IdxX == 0)
        {
            if (a.Centered != 0)
            {
                a.Moments[2 * row] = mean;
                a.Moments[(2 * row) + 1] = inverse;
            }
            else
            {
                a.Moments[row] = inverse;
            }
        }
    }

    // dx (+)= inverse · (dz − mean(dz) − z·mean(dz·z)); the first mean only where x was centred.
    internal static void Backward(NormArguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupSize);
        int row = Grid.IdxX;
        long start = (long)row * a.Columns;
        float mean = Mean(a, row);
        float inverse = Inverse(a, row);
        float sum = 0;
        float product = 0;
        for (int i = Group.IdxX; i < a.Columns; i += GroupSize)
        {
            float dz = a.Dy[start + i] * a.Gain[i];
            sum += dz;
            product = GpuMath.Fma(dz, (a.X[start + i] - mean) * inverse, product);
        }

        float meanDz = 0;
        if (a.Centered != 0)
        {
            meanDz = GpuReduce.Sum(sum, shared) / a.Columns;
        }

        float meanDzZ = GpuReduce.Sum(product, shared) / a.Columns;
        for (int i = Group.IdxX; i < a.Columns; i += GroupSize)
        {
            float z = (a.X[start + i] - mean) * inverse;
            float inner = GpuMath.Fma(z, -meanDzZ, (a.Dy[start + i] * a.Gain[i]) - meanDz);
            a.Y[start + i] = a.Fresh != 0 ? inverse * inner : GpuMath.Fma(inverse, inner, a.Y[start + i]);
        }
    }

    internal static void SumTiles(NormArguments a)
    {
        int column = Grid.GlobalIndex.X;
        if (column < a.Columns)
        {
            int first = Grid.IdxY * a.RowsOfBlock;
            int end = IntrinsicMath.Min(a.Rows, first + a.RowsOfBlock);
            float dgain = 0;
            float dbias = 0;
            for (int row = first; row < end; row++)
            {
                long at = ((long)row * a.Columns) + column;
                float dy = a.Dy[at];
                dgain = GpuMath.Fma(dy, (a.X[at] - Mean(a, row)) * Inverse(a, row), dgain);
                dbias += dy;
            }

            a.Y[(Grid.IdxY * a.Columns) + column] = dgain;
            a.Y[a.Half + (Grid.IdxY * a.Columns) + column] = dbias;
        }
    }

    private static float Mean(NormArguments a, int row) => a.Centered != 0 ? a.Moments[2 * row] : 0;

    private static float Inverse(NormArguments a, int row) => a.Centered != 0 ? a.Moments[(2 * row) + 1] : a.Moments[row];
}

/// <summary>Of <see cref="NormsGpu"/>.</summary>
internal struct NormArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Gain;
    public ArrayView<float> Bias;
    public ArrayView<float> Moments;
    public ArrayView<float> Dy;
    public ArrayView<float> Y;
    public int Rows;
    public int Columns;
    public int RowsOfBlock;
    public int Half;
    public float Epsilon;
    public int Centered;
    public int Keep;
    public int Fresh;
}
