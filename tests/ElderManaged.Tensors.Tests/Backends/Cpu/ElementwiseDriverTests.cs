using ElderManaged.Tensors.Tests.Ops.MatMul;

namespace ElderManaged.Tensors.Tests.Backends.Cpu;

[Collection(CpuThreadsCollection.Name)]
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
        ElementwiseDriver.AddSlope<Mixed>(a, y, dy, dx);
        ElementwiseDriver.AddSlopeA<ProductOfTanh>(a, b, dy, da);
        ElementwiseDriver.AddSlopeB<ProductOfTanh>(a, b, dy, db);
        for (int i = 0; i < a.Length; i++)
        {
            Assert.Equal(Mixed.Plain(a[i]), y[i], 1e-5);
            Assert.Equal(before[i] + (dy[i] * Difference(Mixed.Plain, a[i])), dx[i], 1e-5);
            Assert.Equal(dy[i] * Math.Tanh(b[i]), da[i], 1e-5);
            Assert.Equal(dy[i] * a[i] * Difference(Math.Tanh, b[i]), db[i], 1e-5);
        }
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        int before = CpuThreads.Count;
        try
        {
            float[] a = GemmCase.Numbers(100_003, 1);
            float[] b = GemmCase.Numbers(100_003, 2);
            CpuThreads.Count = 1;
            float[][] one = Everything(Simd.Best, a, b);
            CpuThreads.Count = 3;
            float[][] three = Everything(Simd.Best, a, b);
            for (int i = 0; i < one.Length; i++)
            {
                Assert.Equal(one[i], three[i]);
            }
        }
        finally
        {
            CpuThreads.Count = before;
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
        for (int i = 0; i < 3; i++)
        {
            ElementwiseDriver.Map<Mixed>(a, y);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        ElementwiseDriver.Map<Mixed>(a, y);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Unequal_lengths_are_named()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => ElementwiseDriver.Map<ProductOfTanh>(new float[3], new float[4], new float[3]));
        Assert.Equal("ProductOfTanh: an elementwise operation needs spans of one length, but got inputs of 3 and 4 and an output of 3.", error.Message);
    }

    private static float[][] Everything(SimdLevel level, float[] a, float[] b)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        float[] y = new float[a.Length];
        float[] z = new float[a.Length];
        float[] dx = (float[])b.Clone();
        float[] da = (float[])b.Clone();
        float[] db = (float[])b.Clone();
        ElementwiseDriver.Map<Mixed>(a, y);
        ElementwiseDriver.AddSlope<Mixed>(a, y, b, dx);
        ElementwiseDriver.Map<ProductOfTanh>(a, b, z);
        ElementwiseDriver.AddSlopeA<ProductOfTanh>(a, b, y, da);
        ElementwiseDriver.AddSlopeB<ProductOfTanh>(a, b, y, db);
        return [y, z, dx, da, db];
    }

    private static double Difference(Func<double, double> f, double x) => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;

    // x·σ(x) + ln(1 + eˣ)/2 + √(1 + |x|): touches most of what formulas are made of.
    private readonly struct Mixed : IUnaryFormula
    {
        public static double Plain(double x) => (x / (1 + Math.Exp(-x))) + (Math.Log(1 + Math.Exp(x)) / 2) + Math.Sqrt(1 + Math.Abs(x));

        public static Num<L, V> Value<L, V>(Num<L, V> x)
            where L : struct, ILanes<V>
            where V : struct
            => (x * Num<L, V>.Sigmoid(x)) + (Num<L, V>.Log(1f + Num<L, V>.Exp(x)) * 0.5f) + Num<L, V>.Sqrt(1f + Num<L, V>.Abs(x));

        public static Num<L, V> Slope<L, V>(Num<L, V> x, Num<L, V> y)
            where L : struct, ILanes<V>
            where V : struct
        {
            Num<L, V> s = Num<L, V>.Sigmoid(x);
            Num<L, V> sign = Num<L, V>.IfLess(x, 0f, -1f, 1f);
            return s + (x * s * (1f - s)) + (s * 0.5f) + (sign * 0.5f / Num<L, V>.Sqrt(1f + Num<L, V>.Abs(x)));
        }
    }

    // a·tanh b
    private readonly struct ProductOfTanh : IBinaryFormula
    {
        public static Num<L, V> Value<L, V>(Num<L, V> a, Num<L, V> b)
            where L : struct, ILanes<V>
            where V : struct
            => a * Num<L, V>.Tanh(b);

        public static Num<L, V> SlopeA<L, V>(Num<L, V> a, Num<L, V> b)
            where L : struct, ILanes<V>
            where V : struct
            => Num<L, V>.Tanh(b);

        public static Num<L, V> SlopeB<L, V>(Num<L, V> a, Num<L, V> b)
            where L : struct, ILanes<V>
            where V : struct
        {
            Num<L, V> t = Num<L, V>.Tanh(b);
            return a * (1f - (t * t));
        }
    }
}
