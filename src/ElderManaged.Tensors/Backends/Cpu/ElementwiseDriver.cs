using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// Runs elementwise formulas over spans: vectors, the rest one by one, with the same bits at every width. An output may be
/// the same memory as an input, but not overlap it shifted. The ops call it block by block, see <see cref="RowBlocks"/>.
/// </summary>
internal static unsafe class ElementwiseDriver
{
    /// <summary>y = f(x).</summary>
    public static void Map<F>(ReadOnlySpan<float> x, Span<float> y)
        where F : struct, IUnaryFormula
    {
        CheckLengths(typeof(F).Name, x.Length, y.Length, y.Length);
        F.Prepare();
        fixed (float* px = x)
        fixed (float* py = y)
        {
            Run<UnaryValue<F>>(new Job(px, px, px, py, y.Length));
        }
    }

    /// <summary>dx += dy·f′(x), or dx = dy·f′(x) where the gradient is <paramref name="fresh"/>.</summary>
    public static void AddSlope<F>(ReadOnlySpan<float> x, ReadOnlySpan<float> dy, Span<float> dx, bool fresh)
        where F : struct, IUnaryFormula
    {
        F.Prepare();
        if (fresh)
        {
            AddSlope<F, Fresh<UnarySlope<F>>>(x, x, dy, dx);
        }
        else
        {
            AddSlope<F, Sum<UnarySlope<F>>>(x, x, dy, dx);
        }
    }

    /// <summary>y = f(a, b).</summary>
    public static void Map<F>(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Span<float> y)
        where F : struct, IBinaryFormula
    {
        CheckLengths(typeof(F).Name, a.Length, b.Length, y.Length);
        fixed (float* pa = a)
        fixed (float* pb = b)
        fixed (float* py = y)
        {
            Run<BinaryValue<F>>(new Job(pa, pb, pa, py, y.Length));
        }
    }

    /// <summary>da += dy·∂f/∂a, or da = dy·∂f/∂a where the gradient is <paramref name="fresh"/>.</summary>
    public static void AddSlopeA<F>(ReadOnlySpan<float> a, ReadOnlySpan<float> b, ReadOnlySpan<float> dy, Span<float> da, bool fresh)
        where F : struct, IBinaryFormula
    {
        if (fresh)
        {
            AddSlope<F, Fresh<BinarySlopeA<F>>>(a, b, dy, da);
        }
        else
        {
            AddSlope<F, Sum<BinarySlopeA<F>>>(a, b, dy, da);
        }
    }

    /// <summary>db += dy·∂f/∂b, or db = dy·∂f/∂b where the gradient is <paramref name="fresh"/>.</summary>
    public static void AddSlopeB<F>(ReadOnlySpan<float> a, ReadOnlySpan<float> b, ReadOnlySpan<float> dy, Span<float> db, bool fresh)
        where F : struct, IBinaryFormula
    {
        if (fresh)
        {
            AddSlope<F, Fresh<BinarySlopeB<F>>>(a, b, dy, db);
        }
        else
        {
            AddSlope<F, Sum<BinarySlopeB<F>>>(a, b, dy, db);
        }
    }

    /// <summary>
    /// Both at once, what the slopes have in common computed and read once: da += dy·∂f/∂a and db += dy·∂f/∂b, or = where fresh.
    /// </summary>
    public static void AddSlopes<F>(
        ReadOnlySpan<float> a, ReadOnlySpan<float> b, ReadOnlySpan<float> dy, Span<float> da, bool freshA, Span<float> db, bool freshB)
        where F : struct, IBinaryFormula
    {
        CheckLengths(typeof(F).Name, a.Length, b.Length, da.Length);
        CheckLengths(typeof(F).Name, dy.Length, db.Length, da.Length);
        fixed (float* pa = a)
        fixed (float* pb = b)
        fixed (float* pdy = dy)
        fixed (float* pda = da)
        fixed (float* pdb = db)
        {
            Job job = new(pa, pb, pdy, pda, da.Length);
            int done = Simd.Level switch
            {
                SimdLevel.Vector512 => SlopesLoop<F, Lanes512, Vector512<float>>(job, pdb, freshA, freshB, 0),
                SimdLevel.Vector256 => SlopesLoop<F, Lanes256, Vector256<float>>(job, pdb, freshA, freshB, 0),
                SimdLevel.Vector128 => SlopesLoop<F, Lanes128, Vector128<float>>(job, pdb, freshA, freshB, 0),
                _ => 0,
            };
            SlopesLoop<F, Lanes1, float>(job, pdb, freshA, freshB, done);
        }
    }

    private static void AddSlope<F, S>(ReadOnlySpan<float> a, ReadOnlySpan<float> b, ReadOnlySpan<float> dy, Span<float> target)
        where S : struct, IStep
    {
        CheckLengths(typeof(F).Name, a.Length, b.Length, target.Length);
        CheckLengths(typeof(F).Name, dy.Length, dy.Length, target.Length);
        fixed (float* pa = a)
        fixed (float* pb = b)
        fixed (float* pdy = dy)
        fixed (float* pTarget = target)
        {
            Run<S>(new Job(pa, pb, pdy, pTarget, target.Length));
        }
    }

    private static void Run<S>(Job job)
        where S : struct, IStep
    {
        int done = Simd.Level switch
        {
            SimdLevel.Vector512 => Loop<S, Lanes512, Vector512<float>>(job, 0),
            SimdLevel.Vector256 => Loop<S, Lanes256, Vector256<float>>(job, 0),
            SimdLevel.Vector128 => Loop<S, Lanes128, Vector128<float>>(job, 0),
            _ => 0,
        };
        Loop<S, Lanes1, float>(job, done);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Loop<S, L, V>(Job job, int start)
        where S : struct, IStep
        where L : struct, ILanes<V>
        where V : struct
    {
        int i = start;
        for (; i <= job.Length - L.Width; i += L.Width)
        {
            V b = S.ReadsB ? L.Load(job.B + i) : default;
            V dy = S.ReadsDy ? L.Load(job.Dy + i) : default;
            V before = S.ReadsBefore ? L.Load(job.Target + i) : default;
            L.Store(job.Target + i, S.Step<L, V>(new(L.Load(job.A + i)), new(b), new(dy), new(before)).Value);
        }

        return i;
    }

    // a and b may be one tensor, so db is read after da is written.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int SlopesLoop<F, L, V>(Job job, float* second, bool freshA, bool freshB, int start)
        where F : struct, IBinaryFormula
        where L : struct, ILanes<V>
        where V : struct
    {
        int i = start;
        for (; i <= job.Length - L.Width; i += L.Width)
        {
            Num<L, V> a = new(L.Load(job.A + i)), b = new(L.Load(job.B + i)), dy = new(L.WithoutSmallest(L.Load(job.Dy + i)));
            F.Slopes(a, b, out Num<L, V> slopeA, out Num<L, V> slopeB);
            L.Store(job.Target + i, freshA ? (dy * slopeA).Value : L.Fma(dy.Value, slopeA.Value, L.Load(job.Target + i)));
            L.Store(second + i, freshB ? (dy * slopeB).Value : L.Fma(dy.Value, slopeB.Value, L.Load(second + i)));
        }

        return i;
    }

    private static void CheckLengths(string formula, int a, int b, int target)
    {
        if (a != target || b != target)
        {
            throw new ArgumentException($"{formula}: an elementwise operation needs spans of one length, but got inputs of {a} and {b} and an output of {target}.");
        }
    }

    // What happens to one register of elements, and what of them it reads besides a: constants, so the other loads vanish.
    private interface IStep
    {
        static abstract bool ReadsB { get; }

        static abstract bool ReadsDy { get; }

        static abstract bool ReadsBefore { get; }

        static abstract Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct;
    }

    private readonly struct Job(float* a, float* b, float* dy, float* target, int length)
    {
        public readonly float* A = a;
        public readonly float* B = b;
        public readonly float* Dy = dy;
        public readonly float* Target = target;
        public readonly int Length = length;
    }

    private readonly struct UnaryValue<F> : IStep
        where F : struct, IUnaryFormula
    {
        public static bool ReadsB => false;

        public static bool ReadsDy => false;

        public static bool ReadsBefore => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct
            => F.Value(a);
    }

    private readonly struct UnarySlope<F> : IStep
        where F : struct, IUnaryFormula
    {
        public static bool ReadsB => false;

        public static bool ReadsDy => false;

        public static bool ReadsBefore => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct
            => F.Slope(a);
    }

    private readonly struct BinaryValue<F> : IStep
        where F : struct, IBinaryFormula
    {
        public static bool ReadsB => true;

        public static bool ReadsDy => false;

        public static bool ReadsBefore => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct
            => F.Value(a, b);
    }

    private readonly struct BinarySlopeA<F> : IStep
        where F : struct, IBinaryFormula
    {
        public static bool ReadsB => true;

        public static bool ReadsDy => false;

        public static bool ReadsBefore => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct
            => F.SlopeA(a, b);
    }

    private readonly struct BinarySlopeB<F> : IStep
        where F : struct, IBinaryFormula
    {
        public static bool ReadsB => true;

        public static bool ReadsDy => false;

        public static bool ReadsBefore => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct
            => F.SlopeB(a, b);
    }

    // The slope of a step, times dy: the first contribution to a gradient, or one more. Where a gradient has shrunk to subnormal numbers
    // it counts as 0: there the processor would be a hundred times slower.
    private readonly struct Fresh<S> : IStep
        where S : struct, IStep
    {
        public static bool ReadsB => S.ReadsB;

        public static bool ReadsDy => true;

        public static bool ReadsBefore => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct
            => Num<L, V>.WithoutSmallest(dy) * S.Step(a, b, dy, before);
    }

    private readonly struct Sum<S> : IStep
        where S : struct, IStep
    {
        public static bool ReadsB => S.ReadsB;

        public static bool ReadsDy => true;

        public static bool ReadsBefore => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Num<L, V> Step<L, V>(Num<L, V> a, Num<L, V> b, Num<L, V> dy, Num<L, V> before)
            where L : struct, ILanes<V>
            where V : struct
            => Num<L, V>.Fma(Num<L, V>.WithoutSmallest(dy), S.Step(a, b, dy, before), before);
    }
}
