using ElderManaged.Testing;
using ElderManaged.Tensors.Tests.Ops.MatMul;

namespace ElderManaged.Tensors.Tests.Backends.Cpu;

public sealed class ElementwiseDriverTests
{
    public static TheoryData<SimdLevel> Levels => [.. Enum.GetValues<SimdLevel>().Where(level => level <= Simd.Best)];

    [Theory]
    [MemberData(nameof(Levels))]
    public void Same_bits_as_one_by_one_at_every_length(SimdLevel level)
    {
        foreach (int length in Enumerable.Range(0, 35).Append(40_007))
        {
            float[] a = [.. GemmCase.Numbers(length, 1).Select(x => 12 * x)];
            float[] b = GemmCase.Numbers(length, 2);
            if (length > 20)
            {
                (a[3], a[7], a[11], a[17]) = (float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0f);
            }

            float[][] expected = Everything(SimdLevel.Scalar, a, b);
            float[][] actual = Everything(level, a, b);
            for (int i = 0; i < expected.Length; i++)
            {
                Assert.Equal(expected[i], actual[i]);
            }
        }
    }

    [Fact]
    public void Slopes_are_the_derivatives()
    {
        float[] a = GemmCase.Numbers(37, 1);
        float[] b = GemmCase.Numbers(37, 2);
        float[] dy = GemmCase.Numbers(37, 3);
        float[] y = new float[37];
        float[] dx = GemmCase.Numbers(37, 4);
        float[] da = new float[37];
        float[] db = new float[37];
        float[] before = (float[])dx.Clone();
        ElementwiseDriver.Map<Mixed>(a, y);
        ElementwiseDriver.AddSlope<Mixed>(a, dy, dx, fresh: false);
        ElementwiseDriver.AddSlopeA<ProductOfSigmoid>(a, b, dy, da, fresh: true);
        ElementwiseDriver.AddSlopeB<ProductOfSigmoid>(a, b, dy, db, fresh: false);
        for (int i = 0; i < a.Length; i++)
        {
            Assert.Equal(Mixed.Plain(a[i]), y[i], 1e-5);
            Assert.Equal(before[i] + (dy[i] * Difference(Mixed.Plain, a[i])), dx[i], 1e-5);
            Assert.Equal(dy[i] * Sigmoid(b[i]), da[i], 1e-5);
            Assert.Equal(dy[i] * a[i] * Difference(Sigmoid, b[i]), db[i], 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Both_slopes_at_once_have_the_bits_of_each(SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        float[] a = GemmCase.Numbers(1_003, 1), b = GemmCase.Numbers(1_003, 2), dy = GemmCase.Numbers(1_003, 3);
        foreach (bool fresh in new[] { false, true })
        {
            float[] da = GemmCase.Numbers(1_003, 4), db = GemmCase.Numbers(1_003, 5);
            (float[] expectedA, float[] expectedB) = ((float[])da.Clone(), (float[])db.Clone());
            ElementwiseDriver.AddSlopeA<SiluGateFormula>(a, b, dy, expectedA, fresh);
            ElementwiseDriver.AddSlopeB<SiluGateFormula>(a, b, dy, expectedB, fresh);
            ElementwiseDriver.AddSlopes<SiluGateFormula>(a, b, dy, da, fresh, db, fresh);
            Assert.Equal(expectedA, da);
            Assert.Equal(expectedB, db);
        }
    }

    [Fact]
    public void An_output_may_be_its_input()
    {
        float[] a = GemmCase.Numbers(50, 1);
        float[] expected = new float[50];
        ElementwiseDriver.Map<Mixed>(a, expected);
        ElementwiseDriver.Map<Mixed>(a, a);
        Assert.Equal(expected, a);
    }

    [Fact]
    public void Allocates_nothing_once_warm()
    {
        float[] a = GemmCase.Numbers(40_000, 1);
        float[] y = new float[40_000];
        AllocationCheck.AllocatesNothing(() => ElementwiseDriver.Map<Mixed>(a, y));
    }

    [Fact]
    public void Unequal_lengths_are_named()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => ElementwiseDriver.Map<ProductOfSigmoid>(new float[3], new float[4], new float[3]));
        Assert.Equal("ProductOfSigmoid: an elementwise operation needs spans of one length, but got inputs of 3 and 4 and an output of 3.", error.Message);
    }

    private static float[][] Everything(SimdLevel level, float[] a, float[] b)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        float[] y = new float[a.Length];
        float[] z = new float[a.Length];
        float[] gelu = new float[a.Length];
        float[] geluSlope = new float[a.Length];
        float[] dx = (float[])b.Clone();
        float[] dxFresh = (float[])b.Clone();
        float[] both = (float[])b.Clone();
        float[] bothFresh = (float[])b.Clone();
        float[] da = (float[])b.Clone();
        float[] db = (float[])b.Clone();
        ElementwiseDriver.Map<Mixed>(a, y);
        ElementwiseDriver.AddSlope<Mixed>(a, b, dx, fresh: false);
        ElementwiseDriver.AddSlope<Mixed>(a, b, dxFresh, fresh: true);
        ElementwiseDriver.Map<GeluPieces>(a, gelu);
        ElementwiseDriver.AddSlope<GeluPieces>(a, b, geluSlope, fresh: true);
        ElementwiseDriver.Map<ProductOfSigmoid>(a, b, z);
        ElementwiseDriver.AddSlopeA<ProductOfSigmoid>(a, b, y, da, fresh: false);
        ElementwiseDriver.AddSlopeB<ProductOfSigmoid>(a, b, y, db, fresh: false);
        ElementwiseDriver.AddSlopes<ProductOfSigmoid>(a, b, y, both, freshA: false, bothFresh, freshB: true);
        return [y, z, gelu, geluSlope, dx, dxFresh, da, db, both, bothFresh];
    }

    private static double Difference(Func<double, double> f, double x) => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    // x·σ(x) - ln(σ(-x))/2 + max(x, -1)·min(x, 1): touches all that formulas are made of.
    private readonly struct Mixed : IUnaryFormula
    {
        public static double Plain(double x) => (x / (1 + Math.Exp(-x))) + (Math.Log(1 + Math.Exp(x)) / 2) + (Math.Max(x, -1) * Math.Min(x, 1));

        public static Num<L, V> Value<L, V>(Num<L, V> x)
            where L : struct, ILanes<V>
            where V : struct
            => (x * Num<L, V>.Sigmoid(x)) - (Num<L, V>.Log(Num<L, V>.Sigmoid(0f - x)) * 0.5f)
                + (Num<L, V>.Max(-1f, x) * Num<L, V>.Min(1f, x));

        public static Num<L, V> Slope<L, V>(Num<L, V> x)
            where L : struct, ILanes<V>
            where V : struct
        {
            Num<L, V> s = Num<L, V>.Sigmoid(x);
            Num<L, V> left = Num<L, V>.IfLess(-1f, x, Num<L, V>.Min(1f, x), 0f);
            Num<L, V> right = Num<L, V>.IfLess(x, 1f, Num<L, V>.Max(-1f, x), 0f);
            return Num<L, V>.Fma(x * s, 1f - s, s) + (s / 2f) + left + right;
        }
    }

    // a·σ(b)
    private readonly struct ProductOfSigmoid : IBinaryFormula
    {
        public static Num<L, V> Value<L, V>(Num<L, V> a, Num<L, V> b)
            where L : struct, ILanes<V>
            where V : struct
            => a * Num<L, V>.Sigmoid(b);

        public static Num<L, V> SlopeA<L, V>(Num<L, V> a, Num<L, V> b)
            where L : struct, ILanes<V>
            where V : struct
            => Num<L, V>.Sigmoid(b);

        public static Num<L, V> SlopeB<L, V>(Num<L, V> a, Num<L, V> b)
            where L : struct, ILanes<V>
            where V : struct
        {
            Num<L, V> s = Num<L, V>.Sigmoid(b);
            return a * s * (1f - s);
        }

        public static void Slopes<L, V>(Num<L, V> a, Num<L, V> b, out Num<L, V> slopeA, out Num<L, V> slopeB)
            where L : struct, ILanes<V>
            where V : struct
            => (slopeA, slopeB) = (SlopeA(a, b), SlopeB(a, b));
    }
}
