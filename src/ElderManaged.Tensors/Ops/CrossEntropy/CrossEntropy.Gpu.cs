using ILGPU;

namespace ElderManaged.Tensors;

/// <summary><see cref="Op.CrossEntropy"/> on a GPU.</summary>
/// <remarks>
/// <code>
///   rows    ┌ 256 threads a row ┐  forward: the largest element, then Σ exp without the target's own; kept for each row, as [4, R]:
///           └───────────────────┘  largest, 1/Σ, loss, 1 − p(target). The second reading of a row comes from the second-level cache.
///   strips  ┌ 1024 │ 1024 │ … ┐    backward: each group a strip of a row, so that few long rows fill a GPU too
/// </code>
/// 1 − p is a quotient of sums, no difference: a sure prediction keeps its digits. Forward 14 operations for 4 bytes, backward 14
/// for 8 to 12: with eˣ in half the steps (<see cref="SimdMath.ScaledExp"/>) both stay bound by memory.
/// </remarks>
internal static class CrossEntropyGpu
{
    private const int GroupSize = GpuReduce.GroupSize;
    private const int Strip = 1024;

    private static readonly GpuKernel<CrossEntropyArguments> Rows = new(Forward);
    private static readonly GpuKernel<CrossEntropyArguments> Strips = new(Backward);

    /// <summary>Fills [4, R]: see the picture.</summary>
    public static void Losses(GpuDevice gpu, Tensor logits, int[] targets, Tensor rows)
    {
        CrossEntropyArguments arguments = Arguments(gpu, logits, targets);
        arguments.Rows = gpu.Write(rows);
        Rows.Launch(gpu, logits.Rows, GroupSize, arguments);
    }

    /// <summary>The losses among them.</summary>
    public static ArrayView<float> LossesIn(GpuDevice gpu, Tensor rows) => gpu.Read(rows).SubView(rows.Length / 2, rows.Length / 4);

    /// <summary>dx (+)= dy·factor · (softmax(x) − onehot(target)), dy one number for all rows or one for each; dx may be x itself.</summary>
    public static void AddGradient(GpuDevice gpu, Tensor logits, int[] targets, Tensor rows, Tensor dy, float factor, Tensor dx, bool fresh)
    {
        CrossEntropyArguments arguments = Arguments(gpu, logits, targets);
        arguments.Rows = gpu.Read(rows);
        arguments.Dy = gpu.Read(dy);
        arguments.DyStep = dy.Length == 1 ? 0 : 1;
        arguments.Dx = gpu.Sink(dx, fresh);
        arguments.Factor = factor;
        arguments.Fresh = fresh ? 1 : 0;
        Strips.Launch(gpu, new Index3D(logits.Rows, (logits.Columns + Strip - 1) / Strip, 1), new Index3D(GroupSize, 1, 1), arguments);
    }

    internal static void Forward(CrossEntropyArguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupSize);
        int row = Grid.IdxX;
        int target = a.Targets[row];
        ArrayView<float> x = a.X.SubView((long)row * a.Columns, a.Columns);
        float largest = float.NegativeInfinity;
        for (int i = Group.IdxX; i < a.Columns; i += GroupSize)
        {
            float value = x[i];
            largest = largest >= value ? largest : value;
        }

        largest = GpuReduce.Max(largest, shared);
        float others = 0;
        for (int i = Group.IdxX; i < a.Columns; i += GroupSize)
        {
            float m = SimdMath.ScaledExp<GpuLanes, float>(x[i] - largest, a.Least, a.Start, out float power);
            others = i == target ? others : GpuMath.Fma(m, power, others);
        }

        others = GpuReduce.Sum(others, shared);
        if (Group.IdxX != 0)
        {
            return;
        }

        float loss = 0;
        float inverse = 0;
        float missed = 0;
        if (target >= 0)
        {
            float below = x[target] - largest;
            float own = SimdMath.Exp<GpuLanes, float>(below);
            inverse = 1 / (others + own);
            missed = others * inverse;
            loss = below > -20 ? LogOnePlus(others / own) : SimdMath.Log<GpuLanes, float>(others + own) - below;
        }

        a.Rows[row] = largest;
        a.Rows[a.Count + row] = inverse;
        a.Rows[(2 * a.Count) + row] = loss;
        a.Rows[(3 * a.Count) + row] = missed;
    }

    internal static void Backward(CrossEntropyArguments a)
    {
        int row = Grid.IdxX;
        int target = a.Targets[row];
        float factor = a.Dy[row * a.DyStep] * a.Factor;
        float largest = a.Rows[row];
        float scale = factor * a.Rows[a.Count + row]; // 0 for an ignored row
        float atTarget = -factor * a.Rows[(3 * a.Count) + row];
        long start = (long)row * a.Columns;
        int end = IntrinsicMath.Min(a.Columns, (Grid.IdxY + 1) * Strip);
        for (int i = (Grid.IdxY * Strip) + Group.IdxX; i < end; i += GroupSize)
        {
            float slope = 0;
            if (target >= 0)
            {
                float m = SimdMath.ScaledExp<GpuLanes, float>(a.X[start + i] - largest, a.Least, a.Start, out float power);
                slope = i == target ? atTarget : m * power * scale;
            }

            a.Dx[start + i] = a.Fresh != 0 ? slope : a.Dx[start + i] + slope;
        }
    }

    // ln(1 + q) with all digits for small q: what rounding 1 + q lost is made up for by the quotient.
    private static float LogOnePlus(float q)
    {
        float sum = 1 + q;
        return sum == 1 ? q : SimdMath.Log<GpuLanes, float>(sum) * (q / (sum - 1));
    }

    private static CrossEntropyArguments Arguments(GpuDevice gpu, Tensor logits, int[] targets)
    {
        ExpScale scale = new(0);
        return new CrossEntropyArguments
        {
            X = gpu.Read(logits),
            Targets = gpu.Indices(targets),
            Columns = logits.Columns,
            Count = logits.Rows,
            Least = scale.Least,
            Start = scale.Start,
        };
    }
}

/// <summary>Of <see cref="CrossEntropyGpu"/>.</summary>
internal struct CrossEntropyArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Rows;
    public ArrayView<float> Dy;
    public ArrayView<float> Dx;
    public ArrayView<int> Targets;
    public int Columns;
    public int Count;
    public int DyStep;
    public float Least;
    public float Start;
    public float Factor;
    public int Fresh;
}
