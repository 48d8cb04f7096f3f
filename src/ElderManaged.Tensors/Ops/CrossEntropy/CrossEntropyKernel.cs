using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>One row of <see cref="Op.CrossEntropy"/>; n = its width.</summary>
internal static unsafe class CrossEntropyKernel
{
    /// <summary>
    /// Writes the largest logit, 1 / Σ exp(x − largest) and the loss to <paramref name="row"/>; zeros for an ignored row.
    /// </summary>
    /// <remarks>
    /// Two passes: for the largest, then for the sum. The first waits for memory and the second for arithmetic, so during the second
    /// the <paramref name="next"/> row is fetched into the cache.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward(float* x, float* next, int n, int target, float* row)
    {
        if (target == Op.IgnoredTarget)
        {
            row[0] = row[1] = row[2] = 0;
            return;
        }

        float largest = Reductions.Max(x, n);
        double sum = SumOfExponentials(x, next, n, largest);
        row[0] = largest;
        row[1] = (float)(1 / sum);
        row[2] = (float)(Math.Log(sum) + ((double)largest - x[target]));
    }

    /// <summary>dx += factor · (softmax(x) − onehot(target)), or = where <paramref name="fresh"/>; dx may then be x itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddGradient(float* x, int n, int target, float* row, float factor, float* dx, bool fresh)
    {
        if (target == Op.IgnoredTarget)
        {
            if (fresh)
            {
                new Span<float>(dx, n).Clear();
            }

            return;
        }

        // 1 − p of the target from the loss −log p: subtracting 1 from p would leave only noise where the model is sure.
        float atTarget = (fresh ? 0 : dx[target]) - (float)(factor * (1 - Math.Exp(-(double)row[2])));
        Vector512<float> largest = Vector512.Create(row[0]);
        Vector512<float> scale = Vector512.Create(row[1] * factor);

        // Below this, exp(x − largest) · scale would be subnormal; see SimdMath.ExpBelowOne. Not where factor is 0 or no number.
        float size = MathF.Abs(row[1] * factor);
        Vector512<float> least = Vector512.Create(size > 0 && size < 1 ? 1.17549435e-38f / size : 0);
        int i = 0;
        for (; i <= n - 16; i += 16)
        {
            Vector512<float> e = SimdMath.ExpBelowOne<Lanes512, Vector512<float>>(Vector512.Load(x + i) - largest);
            e = Lanes512.IfLess(e, least, default, e);
            (fresh ? e * scale : Vector512.FusedMultiplyAdd(e, scale, Vector512.Load(dx + i))).Store(dx + i);
        }

        for (; i < n; i++)
        {
            float e = SimdMath.ExpBelowOne<Lanes1, float>(x[i] - row[0]);
            e = e < least[0] ? 0 : e;
            dx[i] = fresh ? e * scale[0] : MathF.FusedMultiplyAdd(e, scale[0], dx[i]);
        }

        dx[target] = atTarget;
    }

    /// <summary>
    /// Σ exp(x − largest). The ones that equal the largest are counted, not added: what the others add then keeps its
    /// precision, and with it the small loss of a sure prediction.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumOfExponentials(float* x, float* next, int n, float largest)
    {
        Vector512<float> shift = Vector512.Create(largest);
        Vector512<float> a = default, b = default;
        Vector512<int> equal = default;
        int i = 0;
        for (; i <= n - 32; i += 32)
        {
            Reductions.Prefetch(next + i);
            Reductions.Prefetch(next + i + 16);
            a += Below(Vector512.Load(x + i), shift, ref equal);
            b += Below(Vector512.Load(x + i + 16), shift, ref equal);
        }

        float* rest = stackalloc float[16];
        for (; i < n; i += 16)
        {
            int left = Math.Min(16, n - i);
            new Span<float>(rest, 16).Fill(float.NegativeInfinity); // exp gives 0
            new Span<float>(x + i, left).CopyTo(new Span<float>(rest, 16));
            a += Below(Vector512.Load(rest), shift, ref equal);
        }

        return Vector512.Sum(equal) + (double)Reductions.Fold(a + b);
    }

    /// <summary>exp(x − largest) where x is below the largest, else 0 and one more in <paramref name="equal"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Below(Vector512<float> x, Vector512<float> largest, ref Vector512<int> equal)
    {
        Vector512<float> same = Vector512.Equals(x, largest);
        equal -= same.AsInt32(); // all bits set is −1
        return Vector512.AndNot(SimdMath.ExpBelowOne<Lanes512, Vector512<float>>(x - largest), same);
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.CrossEntropy"/>.</summary>
internal static class CrossEntropyPlain
{
    public static double Forward(double[] logits, int[] targets, int columns) =>
        RowLosses(logits, targets, columns).Sum() / targets.Count(t => t != Op.IgnoredTarget);

    public static double[] RowLosses(double[] logits, int[] targets, int columns) => targets.Select((target, r) =>
    {
        double[] row = logits[(r * columns)..((r + 1) * columns)];
        double largest = row.Max();
        return target == Op.IgnoredTarget ? 0 : largest + Math.Log(row.Sum(v => Math.Exp(v - largest))) - row[target];
    }).ToArray();

    public static double[] Backward(double[] logits, int[] targets, int columns, double dy)
    {
        double[] dx = new double[logits.Length];
        int counted = targets.Count(t => t != Op.IgnoredTarget);
        for (int r = 0; r < targets.Length; r++)
        {
            if (targets[r] == Op.IgnoredTarget)
            {
                continue;
            }

            double[] row = logits[(r * columns)..((r + 1) * columns)];
            double largest = row.Max();
            double sum = row.Sum(v => Math.Exp(v - largest));
            for (int c = 0; c < columns; c++)
            {
                dx[(r * columns) + c] = ((Math.Exp(row[c] - largest) / sum) - (c == targets[r] ? 1 : 0)) * dy / counted;
            }
        }

        return dx;
    }
}
