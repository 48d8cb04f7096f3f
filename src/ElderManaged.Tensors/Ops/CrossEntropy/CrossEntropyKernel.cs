using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>One row of <see cref="Op.CrossEntropy"/>; n = its width.</summary>
/// <remarks>
/// <code>
///   row   ┌─ 4 × 4096 ─┬────┬ 16 ┬─ 4 × 4096 ─┬ …      Forward reads a row once, stretch by stretch: Σ exp, scaled by the largest element of the
///         └────────────┴────┴─▲──┴────────────┴ …      stretches before, and on the way the stretch's own. Where that is larger, the sum so far is
///                           target                     scaled down, by a power of two; where it is much larger, the stretch is done again.
/// </code>
/// The target's own exponential is left out of the sum and added in double precision: so the small loss of a sure prediction keeps its digits.
/// </remarks>
internal static unsafe class CrossEntropyKernel
{
    private const int Block = 4096;

    // So many elements are added up before their sum and the largest of them are looked at.
    private const int Stretch = 4 * Block;

    // The size of them all is guessed from the first ones.
    private const int Sample = 64;

    // So much larger than the one that the scale was made for may an element be: the sum of a stretch stays below 2¹²⁴, the lift of LiftedPowerOfTwo included.
    private const float Above = 40;

    /// <summary>
    /// Writes the largest logit, 1 / Σ exp(x − s·ln 2) for the s of <see cref="ExpScale"/>, and the loss to <paramref name="row"/>; zeros for an ignored row.
    /// </summary>
    public static void Forward(float* x, int n, int target, float* row)
    {
        if (target == Op.IgnoredTarget)
        {
            row[0] = row[1] = row[2] = 0;
            return;
        }

        Others others = new(x, n, target);
        if (!others.Add())
        {
            others.AddBelow(Reductions.Max(x, n));
        }

        // With d = exp(x[target]): log((others + d) / d).
        double exponent = ((x[target] - others.Subtracted) * (double)SimdMath.OneOverLn2) - others.Scale.S;
        double own = Math.Pow(2, exponent);
        row[0] = others.Largest;
        row[1] = (float)(1 / (others.Sum + own));
        row[2] = (float)(exponent > -1000 ? Math.Log(1 + (others.Sum / own)) : Math.Log(others.Sum) - (exponent / SimdMath.OneOverLn2));
    }

    /// <summary>dx += factor · (softmax(x) − onehot(target)), or = where <paramref name="fresh"/>; dx may then be x itself.</summary>
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

        // The factor's power of two joins the scale, so that what would get subnormal in the end gives 0.
        double scale = row[1] * (double)factor;
        int exponent = scale == 0 || !double.IsFinite(scale) ? 0 : Math.Clamp(Math.ILogB(scale), -300, 100);
        float rest = (float)Math.ScaleB(scale, -exponent);
        if (ExpScale.Fits(row[0]))
        {
            AddWeights(x, n, new(ExpScale.For(row[0]).S - exponent), rest, dx, fresh);
        }
        else
        {
            float* below = stackalloc float[Block];
            for (int i = 0; i < n; i += Block)
            {
                int count = Math.Min(Block, n - i);
                Below(x + i, row[0], count, below);
                AddWeights(below, count, new(-exponent), rest, dx + i, fresh);
            }
        }

        dx[target] = atTarget;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddWeights(float* x, int n, ExpScale scale, float factor, float* dx, bool fresh)
    {
        Vector512<float> least = Vector512.Create(scale.Least), start = Vector512.Create(scale.Start), f = Vector512.Create(factor);
        int i = 0;
        if (fresh)
        {
            for (; i <= n - 16; i += 16)
            {
                Vector512<float> m = SimdMath.ScaledExp<Lanes512, Vector512<float>>(Vector512.Load(x + i), least, start, out Vector512<float> power);
                (m * (power * f)).Store(dx + i);
            }
        }
        else
        {
            for (; i <= n - 16; i += 16)
            {
                Vector512<float> m = SimdMath.ScaledExp<Lanes512, Vector512<float>>(Vector512.Load(x + i), least, start, out Vector512<float> power);
                Vector512.FusedMultiplyAdd(m, power * f, Vector512.Load(dx + i)).Store(dx + i);
            }
        }

        for (; i < n; i++)
        {
            float m = SimdMath.ScaledExp<Lanes1, float>(x[i], scale.Least, scale.Start, out float power);
            dx[i] = fresh ? m * (power * factor) : MathF.FusedMultiplyAdd(m, power * factor, dx[i]);
        }
    }

    // y = x − largest.
    private static void Below(float* x, float largest, int n, float* y)
    {
        for (int i = 0; i < n; i++)
        {
            y[i] = x[i] - largest;
        }
    }

    /// <summary>Σ of the exponentials of all elements of a row but the target.</summary>
    private ref struct Others(float* x, int n, int target)
    {
        /// <summary>The sum, times 2⁻ˢ.</summary>
        public double Sum { get; private set; }

        /// <summary>s.</summary>
        public ExpScale Scale { get; private set; }

        /// <summary>The largest element so far, the target included.</summary>
        public float Largest { get; private set; }

        /// <summary>What was subtracted from the elements first: 0, or the largest.</summary>
        public float Subtracted { get; private set; }

        /// <summary>Adds all; false if the elements are too large for it, or not numbers.</summary>
        public bool Add()
        {
            Largest = -ExpScale.TooLarge;
            Scale = ExpScale.For(Largest);
            int at = target & -16, end = n & -16;
            float* few = stackalloc float[16];

            // The target's own element comes last: it is seldom in a cache yet.
            return Raise(Reductions.Max(x, Math.Min(n, Sample))) && Stretches(0, at) && Segment(Few(few, at, target), 16) && Stretches(at + 16, end)
                && (end <= at || end == n || Segment(Few(few, end, -1), 16)) && Raise(x[target]) && Largest > -ExpScale.TooLarge;
        }

        /// <summary>From the start again, with the largest element subtracted.</summary>
        public void AddBelow(float largest)
        {
            (Largest, Subtracted, Scale, Sum) = (largest, largest, new(0), 0);
            float* below = stackalloc float[Block];
            for (int i = 0; i < n; i += Block)
            {
                int count = Math.Min(Block, n - i), whole = (count + 15) & -16;
                Below(x + i, largest, count, below);
                new Span<float>(below + count, whole - count).Fill(float.NegativeInfinity);
                if (target >= i && target < i + count)
                {
                    below[target - i] = float.NegativeInfinity;
                }

                Sum += Exponentials(below, whole, Scale, out _);
            }
        }

        private bool Stretches(int first, int end)
        {
            for (int i = first; i < end; i += Stretch)
            {
                if (!Segment(x + i, Math.Min(Stretch, end - i)))
                {
                    return false;
                }
            }

            return true;
        }

        private bool Segment(float* segment, int count)
        {
            double sum = Exponentials(segment, count, Scale, out float largest);
            if (largest > Largest + Above)
            {
                if (!Raise(largest))
                {
                    return false;
                }

                sum = Exponentials(segment, count, Scale, out _);
            }

            Sum += sum;
            return Raise(largest);
        }

        private bool Raise(float largest)
        {
            if (largest > Largest)
            {
                float before = Scale.S;
                Largest = largest;
                Scale = ExpScale.For(largest);
                Sum = Sum == 0 ? 0 : Math.ScaleB(Sum, (int)Math.Max(before - Scale.S, -5000));
            }

            return Largest < ExpScale.TooLarge;
        }

        // Up to sixteen elements from one on, without the target, filled up with what has the exponential 0.
        private readonly float* Few(float* few, int first, int without)
        {
            new Span<float>(few, 16).Fill(float.NegativeInfinity);
            new Span<float>(x + first, Math.Min(16, n - first)).CopyTo(new Span<float>(few, 16));
            if (without >= 0)
            {
                few[without - first] = float.NegativeInfinity;
            }

            return few;
        }
    }

    /// <summary>Σ exp(x)·2⁻ˢ of a multiple of sixteen elements, and the largest of them. An element that is not a number may be passed over there.</summary>
    /// <remarks>
    /// Four quarters side by side, which are pages of memory where a block is whole: the hardware fetches ahead within a page only, so that four
    /// at once come nearly twice as fast. The largest costs nothing: waiting for memory leaves room for it.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Exponentials(float* x, int count, ExpScale scale, out float largest)
    {
        Vector512<float> minusS = Vector512.Create(-scale.S);
        Vector512<float> a = default, b = default, c = default, d = default;
        Vector512<float> most = Vector512.Create(float.NegativeInfinity), more = most;
        for (float* end = x + count; x < end;)
        {
            int quarter = (int)Math.Min(Block, end - x) / 64 * 16;
            float* second = x + quarter, third = second + quarter, fourth = third + quarter;
            for (int i = 0; i < quarter; i += 16)
            {
                // One block ahead of itself, 16 KB, for which there is room in the first-level cache beside this one. So each line is fetched once, wherever
                // the target and the end of the row cut a block short.
                Prefetch.Nearest(x + Block + i);
                Prefetch.Nearest(second + Block + i);
                Prefetch.Nearest(third + Block + i);
                Prefetch.Nearest(fourth + Block + i);
                Vector512<float> p = Vector512.Load(x + i), q = Vector512.Load(second + i);
                Vector512<float> r = Vector512.Load(third + i), t = Vector512.Load(fourth + i);
                most = Lanes512.Max(Lanes512.Max(most, p), r);
                more = Lanes512.Max(Lanes512.Max(more, q), t);
                a += Power(p, minusS);
                b += Power(q, minusS);
                c += Power(r, minusS);
                d += Power(t, minusS);
            }

            for (x = fourth + quarter; end - x < 64 && x < end; x += 16)
            {
                Vector512<float> p = Vector512.Load(x);
                most = Lanes512.Max(most, p);
                a += Power(p, minusS);
            }
        }

        largest = Reductions.Largest(Lanes512.Max(most, more));
        return Reductions.Fold((a + b) + (c + d)) * SimdMath.LiftDown;
    }

    // exp(x)·2⁻ˢ = 2^y with y = x·log₂e − s, rounded once: near the largest element, where y is small, by next to nothing.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Power(Vector512<float> x, Vector512<float> minusS)
        => SimdMath.LiftedPowerOfTwo(Vector512.FusedMultiplyAdd(x, Vector512.Create(SimdMath.OneOverLn2), minusS));
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

    public static double[] Backward(double[] logits, int[] targets, int columns, double dy) =>
        RowsBackward(logits, targets, columns, [.. targets.Select(_ => dy / targets.Count(t => t != Op.IgnoredTarget))]);

    public static double[] RowsBackward(double[] logits, int[] targets, int columns, double[] dy)
    {
        double[] dx = new double[logits.Length];
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
                dx[(r * columns) + c] = ((Math.Exp(row[c] - largest) / sum) - (c == targets[r] ? 1 : 0)) * dy[r];
            }
        }

        return dx;
    }
}
