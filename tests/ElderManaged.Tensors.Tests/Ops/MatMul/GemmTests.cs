using ElderManaged.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Tensors.Tests.Ops.MatMul;

[Collection(CpuThreadsCollection.Name)]
public sealed class GemmTests
{
    public static TheoryData<SimdLevel> Levels => [.. Enum.GetValues<SimdLevel>().Where(level => level <= Simd.Best)];

    [Theory]
    [MemberData(nameof(Levels))]
    public void Agrees_with_the_plain_product(SimdLevel level)
    {
        Prop.ForAll(GemmCase.Arbitrary(170), test =>
        {
            using Simd.ForcedLevel forced = Simd.Force(level);
            AssertClose(test.Plain(), test.Run());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(120));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Is_the_documented_chain_of_fused_multiply_adds_to_the_bit(SimdLevel level)
    {
        Prop.ForAll(GemmCase.Arbitrary(120), test =>
        {
            using Simd.ForcedLevel forced = Simd.Force(level);
            AssertSameBits(test.Chain(), test.Run());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(120));
    }

    // Past the block sizes: several blocks of k (384 or 768), of rows (252) and of columns (4096, or a few panels); narrow matrices read in place.
    [Theory]
    [InlineData(false, true, 517, 71, 800)]
    [InlineData(false, false, 517, 71, 800)]
    [InlineData(true, false, 517, 71, 800)]
    [InlineData(true, true, 517, 71, 800)]
    [InlineData(false, false, 50, 1, 300)]
    [InlineData(false, false, 50, 9, 900)]
    [InlineData(true, false, 300, 16, 401)]
    [InlineData(false, true, 50, 4133, 65)]
    [InlineData(false, false, 50, 4133, 65)]
    [InlineData(false, false, 3, 4133, 300)]
    [InlineData(false, true, 2, 4133, 300)]
    [InlineData(false, true, 517, 16, 800)]
    [InlineData(false, true, 1031, 16, 390)]
    [InlineData(false, true, 300, 7, 1103)]
    [InlineData(false, true, 29, 1, 401)]
    [InlineData(false, true, 75, 15, 1600)]
    [InlineData(false, true, 5, 8, 3072)]
    [InlineData(false, true, 141, 2, 2000)]
    [InlineData(false, true, 12, 11, 7)]
    [InlineData(false, false, 64, 6400, 2)]
    [InlineData(false, false, 64, 3200, 9)]
    [InlineData(false, false, 70, 3232, 20)]
    public void Large_products_are_the_same_chain(bool transA, bool transB, int m, int n, int k)
    {
        foreach (bool accumulate in new[] { false, true })
        {
            GemmCase test = new(transA, transB, m, n, k, 3, 5, 7, accumulate, 1f, 11);
            AssertSameBits(test.Chain(), test.Run());
        }
    }

    // The way down to the rank of a LoRA has an order of its own: the same for every width of register, and for a row alone.
    [Theory]
    [MemberData(nameof(Levels))]
    public void Thin_products_have_the_documented_order_at_every_level(SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        foreach (int n in Enumerable.Range(1, 17))
        {
            foreach ((int m, int k) in new[] { (1, 33), (3, 16), (4, 80), (23, 900) })
            {
                GemmCase test = new(false, true, m, n, k, 3, 5, 7, (n & 1) == 0, 1f, 11);
                AssertSameBits(test.Chain(), test.Run());
            }
        }
    }

    [Fact]
    public void A_row_of_a_thin_product_has_the_same_bits_alone()
    {
        const int m = 71, n = 16, k = 1000;
        GemmCase all = new(false, true, m, n, k, 0, 0, 0, false, 1f, 5);
        float[] a = all.MakeA(), b = all.MakeB(), c = all.Run(a, b), row = new float[n];
        for (int i = 0; i < m; i++)
        {
            Gemm.Multiply(false, true, 1, n, k, a.AsSpan(i * k), k, b, k, row, n);
            AssertSameBits(c[(i * n)..((i + 1) * n)], row);
        }
    }

    [Fact]
    public void A_thin_product_may_be_millions_deep()
    {
        GemmCase test = new(false, true, 1, 1, 6_000_000, 0, 0, 0, false, 1f, 5);
        AssertSameBits(test.Chain(), test.Run());
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        int before = CpuThreads.Count;
        try
        {
            Prop.ForAll(GemmCase.Arbitrary(400), test =>
            {
                CpuThreads.Count = 1;
                float[] one = test.Run();
                CpuThreads.Count = 2;
                AssertSameBits(one, test.Run());
                CpuThreads.Count = 3;
                AssertSameBits(one, test.Run());
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    [Fact]
    public void Between_the_rows_of_C_nothing_is_written()
    {
        Prop.ForAll(GemmCase.Arbitrary(100), test =>
        {
            float[] before = test.MakeC();
            float[] after = test.Run();
            for (int i = 0; i < after.Length; i++)
            {
                if (i % test.Ldc >= test.N)
                {
                    Assert.Equal(before[i], after[i]);
                }
            }
        }).Check(Config.QuickThrowOnFailure);
    }

    [Theory]
    [InlineData(1, 70, 30)]
    [InlineData(3, 70, 30)]
    [InlineData(50, 33, 7)]
    [InlineData(50, 70, 300)]
    [InlineData(50, 9, 300)]
    public void Not_a_number_and_infinity_pass_through_zeros(int m, int n, int k)
    {
        foreach (bool transA in new[] { false, true })
        {
            foreach (bool transB in new[] { false, true })
            {
                GemmCase test = new(transA, transB, m, n, k, 0, 0, 0, false, 1f, 5);
                float[] a = new float[m * k];
                float[] b = test.MakeB();
                int badColumn = n - 2;
                b[transB ? (badColumn * k) + 4 : (4 * n) + badColumn] = float.NaN;
                b[transB ? 5 : 5 * n] = float.PositiveInfinity;
                float[] c = test.Run(a, b);
                for (int i = 0; i < m; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        Assert.Equal(j == badColumn || j == 0 ? float.NaN : 0f, c[(i * n) + j]);
                    }
                }
            }
        }
    }

    // Sums and products below the normal range keep their bits: nothing is flushed to zero.
    [Theory]
    [MemberData(nameof(Levels))]
    public void Subnormal_numbers_are_computed_with(SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        const int k = 40;
        float smallest = float.Epsilon;
        foreach (int m in new[] { 1, 3, 13, 30 })
        {
            foreach (bool transB in new[] { false, true })
            {
                const int n = 37;
                float[] a = new float[m * k];
                float[] b = new float[n * k];
                float[] c = new float[m * n];
                Array.Fill(a, 3 * smallest);
                Array.Fill(b, 1f);
                Gemm.Multiply(false, transB, m, n, k, a, k, b, transB ? k : n, c, n);
                Assert.All(c, value => Assert.Equal(3 * k * smallest, value));
            }
        }
    }

    [Fact]
    public void Allocates_nothing_once_warm()
    {
        foreach ((int m, int n, int k) in new[] { (130, 120, 300), (1, 500, 600), (70, 8, 256), (70, 256, 8), (70, 16, 300) })
        {
            GemmCase test = new(false, true, m, n, k, 0, 0, 0, false, 1f, 3);
            float[] a = test.MakeA();
            float[] b = test.MakeB();
            float[] c = test.MakeC();
            AllocationCheck.AllocatesNothing(() => Gemm.Multiply(false, true, m, n, k, a, k, b, k, c, n));
        }
    }

    [Fact]
    public void An_empty_inner_size_clears_or_keeps_C()
    {
        float[] c = [1, 2, 3, 4, 5, 6];
        Gemm.Multiply(false, false, 2, 2, 0, [], 1, [], 2, c, 4, accumulate: true);
        Assert.Equal([1f, 2, 3, 4, 5, 6], c);
        Gemm.Multiply(false, false, 2, 2, 0, [], 1, [], 2, c, 4);
        Assert.Equal([0f, 0, 3, 4, 0, 0], c);
    }

    [Fact]
    public void A_span_that_is_too_short_is_named()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Gemm.Multiply(false, true, 2, 3, 4, new float[8], 4, new float[11], 4, new float[6], 3));
        Assert.Equal("Gemm: B is stored as [3, 4] with row stride 4 and needs 12 elements, but the span holds 11.", error.Message);
    }

    [Fact]
    public void A_stride_below_the_width_is_named()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Gemm.Multiply(false, true, 2, 3, 4, new float[8], 3, new float[12], 4, new float[6], 3));
        Assert.Equal("Gemm: A is stored as [2, 4], but its row stride lda = 3 is below 4.", error.Message);
    }

    private static void AssertClose(double[] expected, float[] actual)
    {
        double largest = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-5 * Math.Max(largest, 1e-3), $"Element {i}: expected {expected[i]}, got {actual[i]}.");
        }
    }

    private static void AssertSameBits(float[] expected, float[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]), $"Element {i}: expected {expected[i]:R}, got {actual[i]:R}.");
        }
    }
}
