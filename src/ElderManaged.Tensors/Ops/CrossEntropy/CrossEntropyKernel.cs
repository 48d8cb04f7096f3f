using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>One row of <see cref="Op.CrossEntropy"/>.</summary>
internal static class CrossEntropyKernel
{
    /// <summary>Writes the largest logit, 1 / Σ exp(x − largest) and the loss; zeros for an ignored row.</summary>
    public static void Forward(ReadOnlySpan<float> x, int target, Span<float> row)
    {
        if (target == Op.IgnoredTarget)
        {
            row.Clear();
            return;
        }

        float largest = TensorPrimitives.Max(x);
        double sum = SumOfExponentials(x, largest);
        row[0] = largest;
        row[1] = (float)(1 / sum);
        row[2] = (float)(Math.Log(sum) + ((double)largest - x[target]));
    }

    /// <summary>dx += factor · (softmax(x) − onehot(target)).</summary>
    public static void AddGradient(ReadOnlySpan<float> x, int target, ReadOnlySpan<float> row, float factor, Span<float> dx)
    {
        if (target == Op.IgnoredTarget)
        {
            return;
        }

        // 1 − p of the target from the loss −log p: subtracting 1 from p would leave only noise where the model is sure.
        float atTarget = dx[target] - (float)(factor * (1 - Math.Exp(-(double)row[2])));
        Vector512<float> largest = Vector512.Create(row[0]);
        Vector512<float> scale = Vector512.Create(row[1] * factor);
        for (int i = 0; i < x.Length; i += 16)
        {
            Lanes16.Store(Vector512.FusedMultiplyAdd(SimdMath.Exp<Lanes512, Vector512<float>>(Lanes16.Load(x, i) - largest), scale, Lanes16.Load(dx, i)), dx, i);
        }

        dx[target] = atTarget;
    }

    /// <summary>
    /// Σ exp(x − largest). The ones that equal the largest are counted, not added: what the others add then keeps its
    /// precision, and with it the small loss of a sure prediction.
    /// </summary>
    private static double SumOfExponentials(ReadOnlySpan<float> x, float largest)
    {
        Vector512<float> shift = Vector512.Create(largest);
        Vector512<float> a = default, b = default;
        Vector512<int> equal = default;
        ref float first = ref MemoryMarshal.GetReference(x);
        int i = 0;
        for (; i <= x.Length - 32; i += 32)
        {
            a += Below(Vector512.LoadUnsafe(ref first, (nuint)i), shift, ref equal);
            b += Below(Vector512.LoadUnsafe(ref first, (nuint)i + 16), shift, ref equal);
        }

        Span<float> rest = stackalloc float[16];
        for (; i < x.Length; i += 16)
        {
            int left = Math.Min(16, x.Length - i);
            rest.Fill(float.NegativeInfinity); // exp gives 0
            x.Slice(i, left).CopyTo(rest);
            a += Below(Vector512.Create<float>(rest), shift, ref equal);
        }

        return Vector512.Sum(equal) + (double)Reductions.Fold(a + b);
    }

    /// <summary>exp(x − largest) where x is below the largest, else 0 and one more in <paramref name="equal"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Below(Vector512<float> x, Vector512<float> largest, ref Vector512<int> equal)
    {
        Vector512<float> same = Vector512.Equals(x, largest);
        equal -= same.AsInt32(); // all bits set is −1
        return Vector512.AndNot(SimdMath.Exp<Lanes512, Vector512<float>>(x - largest), same);
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
