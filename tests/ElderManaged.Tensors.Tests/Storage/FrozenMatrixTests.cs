using ElderManaged.Testing;
using ElderManaged.Tensors.Tests.Ops.MatMul;

namespace ElderManaged.Tensors.Tests.Storage;

[Collection(CpuThreadsCollection.Name)]
public sealed class FrozenMatrixTests
{
    public static TheoryData<SimdLevel> Levels => [.. Enum.GetValues<SimdLevel>().Where(level => level <= Simd.Best)];

    [Theory]
    [MemberData(nameof(Levels))]
    public void Both_products_equal_the_general_product_to_the_bit_and_few_rows_sixteen_chains(SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        foreach ((int outputs, int inputs) in new[] { (1, 1), (3, 40), (33, 65), (64, 31), (70, 300), (301, 71), (133, 290) })
        {
            float[] w = GemmCase.Numbers(outputs * inputs, 1);

            // A general product with a transposed matrix of so few outputs would have the order of thin ones.
            float[] turned = [.. Enumerable.Range(0, w.Length).Select(i => w[(i % outputs * inputs) + (i / outputs)])];
            FrozenMatrix frozen = FrozenMatrix.FromDense(w, outputs, inputs);
            foreach (int rows in new[] { 1, 2, 3, 4, 5, 11, 12, 13, 30, 50 })
            {
                foreach (bool accumulate in new[] { false, true })
                {
                    float[] x = GemmCase.Numbers(rows * inputs, 2);
                    float[] dy = GemmCase.Numbers(rows * outputs, 3);
                    float[] bias = accumulate ? GemmCase.Numbers(outputs, 4) : [];
                    float[] expected = Repeated(bias, rows, outputs);
                    float[] actual = GemmCase.Numbers(rows * outputs, 6);
                    Gemm.Multiply(false, false, rows, outputs, inputs, x, inputs, turned, outputs, expected, outputs, accumulate);
                    frozen.Multiply(x, rows, actual, bias);
                    Assert.Equal(expected, actual);

                    expected = GemmCase.Numbers(rows * inputs, 5);
                    actual = (float[])expected.Clone();
                    Backward(w, dy, rows, outputs, inputs, expected, accumulate);
                    frozen.MultiplyTransposed(dy, rows, actual, accumulate);
                    Assert.Equal(expected, actual);
                }
            }
        }
    }

    // Past the edges of the blocking: more rows than one block of them, more outputs than one slice, more inputs than their sums fit in a part.
    [Theory]
    [InlineData(3100, 20, 70)]
    [InlineData(40, 100, 530)]
    [InlineData(500, 1300, 3)]
    [InlineData(60, 1300, 150)]
    public void Both_products_equal_the_general_product_past_every_block(int outputs, int inputs, int rows)
    {
        float[] w = GemmCase.Numbers(outputs * inputs, 1);
        float[] x = GemmCase.Numbers(rows * inputs, 2);
        float[] dy = GemmCase.Numbers(rows * outputs, 3);
        FrozenMatrix frozen = FrozenMatrix.FromDense(w, outputs, inputs);
        float[] bias = GemmCase.Numbers(outputs, 4);
        float[] expected = Repeated(bias, rows, outputs);
        float[] actual = new float[expected.Length];
        Gemm.Multiply(false, true, rows, outputs, inputs, x, inputs, w, inputs, expected, outputs, true);
        frozen.Multiply(x, rows, actual, bias);
        Assert.Equal(expected, actual);

        expected = GemmCase.Numbers(rows * inputs, 5);
        Backward(w, dy, rows, outputs, inputs, expected, true);
        int before = CpuThreads.Count;
        try
        {
            foreach (int threads in new[] { 1, 2, 3 })
            {
                CpuThreads.Count = threads;
                actual = GemmCase.Numbers(rows * inputs, 5);
                frozen.MultiplyTransposed(dy, rows, actual, true);
                Assert.Equal(expected, actual);
            }
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void A_row_has_the_same_bits_alone_as_among_fifty(SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        const int rows = 50;
        foreach ((int outputs, int inputs) in new[] { (75, 530), (530, 75) })
        {
            FrozenMatrix frozen = FrozenMatrix.FromDense(GemmCase.Numbers(outputs * inputs, 1), outputs, inputs);
            float[] x = GemmCase.Numbers(rows * inputs, 2);
            float[] y = new float[rows * outputs];
            frozen.Multiply(x, rows, y);
            for (int row = 0; row < rows; row++)
            {
                float[] alone = new float[outputs];
                frozen.Multiply(x.AsSpan(row * inputs, inputs), 1, alone);
                Assert.Equal(y.AsSpan(row * outputs, outputs).ToArray(), alone);
            }
        }
    }

    // One to four rows of dy add in another order than five and more.
    [Theory]
    [MemberData(nameof(Levels))]
    public void A_gradient_row_has_the_same_bits_alone_as_among_four_and_among_five_as_among_fifty(SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        const int outputs = 530, inputs = 75;
        FrozenMatrix frozen = FrozenMatrix.FromDense(GemmCase.Numbers(outputs * inputs, 1), outputs, inputs);
        foreach ((int few, int many) in new[] { (1, 4), (2, 4), (3, 4), (5, 50), (8, 50) })
        {
            float[] dy = GemmCase.Numbers(many * outputs, 2);
            float[] all = new float[many * inputs];
            float[] some = new float[few * inputs];
            frozen.MultiplyTransposed(dy, many, all);
            int first = many - few;
            frozen.MultiplyTransposed(dy.AsSpan(first * outputs), few, some);
            Assert.Equal(all.AsSpan(first * inputs).ToArray(), some);
        }
    }

    [Fact]
    public void Gives_back_what_it_was_made_of()
    {
        foreach ((int outputs, int inputs) in new[] { (3, 5), (33, 70), (96, 32) })
        {
            float[] w = GemmCase.Numbers(outputs * inputs, 8);
            float[] transposed = new float[w.Length];
            for (int o = 0; o < outputs; o++)
            {
                for (int p = 0; p < inputs; p++)
                {
                    transposed[(p * outputs) + o] = w[(o * inputs) + p];
                }
            }

            float[] back = new float[w.Length];
            FrozenMatrix.FromDense(w, outputs, inputs).CopyTo(back);
            Assert.Equal(w, back);

            Array.Clear(back);
            FrozenMatrix fromTransposed = FrozenMatrix.FromTransposed(transposed, outputs, inputs);
            fromTransposed.CopyTo(back);
            Assert.Equal(w, back);

            float[] row = new float[inputs];
            fromTransposed.CopyRow(outputs - 1, row);
            Assert.Equal(w[^inputs..], row);
        }
    }

    [Fact]
    public void The_weight_is_kept_once_for_both_directions()
    {
        FrozenMatrix frozen = FrozenMatrix.FromDense(new float[64 * 96], 64, 96);
        Assert.Equal(64 * 96 * 4, frozen.Bytes);
        frozen.MultiplyTransposed(new float[64], 1, new float[96]);
        Assert.Equal(64 * 96 * 4, frozen.Bytes);
    }

    [Fact]
    public void Many_readers_at_once_see_the_same_bits()
    {
        const int outputs = 130;
        const int inputs = 90;
        const int rows = 40;
        FrozenMatrix frozen = FrozenMatrix.FromDense(GemmCase.Numbers(outputs * inputs, 1), outputs, inputs);
        FrozenMatrix same = FrozenMatrix.FromDense(GemmCase.Numbers(outputs * inputs, 1), outputs, inputs);
        float[] dy = GemmCase.Numbers(rows * outputs, 2);
        float[] expected = new float[rows * inputs];
        same.MultiplyTransposed(dy, rows, expected);
        float[][] seen = new float[6][];
        Thread[] readers = [.. Enumerable.Range(0, seen.Length).Select(i => new Thread(() =>
        {
            float[] dx = new float[rows * inputs];
            for (int round = 0; round < 20; round++)
            {
                frozen.MultiplyTransposed(dy, rows, dx);
            }

            seen[i] = dx;
        }))];
        Array.ForEach(readers, t => t.Start());
        Array.ForEach(readers, t => t.Join());
        Assert.All(seen, dx => Assert.Equal(expected, dx));
    }

    [Fact]
    public void Allocates_nothing_once_warm()
    {
        FrozenMatrix frozen = FrozenMatrix.FromDense(new float[200 * 300], 200, 300);
        float[] x = new float[50 * 300];
        float[] y = new float[50 * 200];
        AllocationCheck.AllocatesNothing(() =>
        {
            frozen.Multiply(x, 50, y);
            frozen.Multiply(x, 1, y);
            frozen.MultiplyTransposed(y, 50, x);
        });
    }

    [Fact]
    public void Sizes_that_disagree_are_named()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => FrozenMatrix.FromDense(new float[11], 3, 4));
        Assert.Equal("FrozenMatrix: a weight of 3 outputs and 4 inputs has 12 elements, but 11 were given; sizes must be positive and agree.", error.Message);

        FrozenMatrix frozen = FrozenMatrix.FromDense(new float[12], 3, 4);
        error = Assert.Throws<ArgumentException>(() => frozen.Multiply(new float[8], 2, new float[6], new float[2]));
        Assert.Contains("the bias has 2 elements", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<ArgumentException>(() => frozen.Multiply(new float[8], 2, new float[5]));
        Assert.Equal("FrozenMatrix.Multiply: 2 rows need an input of [2, 4] and an output of [2, 3], but the spans hold 8 and 5 floats.", error.Message);
    }

    // The same numbers in every row, or zeros.
    private static float[] Repeated(float[] bias, int rows, int outputs) =>
        bias.Length == 0 ? new float[rows * outputs] : [.. Enumerable.Repeat(bias, rows).SelectMany(b => b)];

    // What dy·W must give: the general product, or the plain twin of WideSums for up to four rows.
    private static void Backward(float[] w, float[] dy, int rows, int outputs, int inputs, float[] dx, bool accumulate)
    {
        if (rows > WideSums.MaxRows)
        {
            Gemm.Multiply(false, false, rows, inputs, outputs, dy, outputs, w, inputs, dx, inputs, accumulate);
            return;
        }

        for (int row = 0; row < rows; row++)
        {
            for (int k = 0; k < inputs; k++)
            {
                float[] chains = new float[WideSums.Chains];
                for (int o = 0; o < outputs; o++)
                {
                    chains[o % chains.Length] = MathF.FusedMultiplyAdd(dy[(row * outputs) + o], w[(o * inputs) + k], chains[o % chains.Length]);
                }

                for (int left = chains.Length / 2; left > 0; left /= 2)
                {
                    for (int l = 0; l < left; l++)
                    {
                        chains[l] += chains[l + left];
                    }
                }

                dx[(row * inputs) + k] = accumulate ? dx[(row * inputs) + k] + chains[0] : chains[0];
            }
        }
    }
}
