using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class TopKTests
{
    [Fact]
    public void EqualsAStableSort()
    {
        RandomSource random = new(8);
        for (int length = 1; length <= 200; length += length < 70 ? 1 : 37)
        {
            float[] row = new float[length];
            for (int i = 0; i < length; i++)
            {
                // Few different values, so that there are ties.
                row[i] = random.Next(9) switch { 0 => float.NaN, 1 => float.NegativeInfinity, 2 => float.PositiveInfinity, int v => v };
            }

            int k = 1 + random.Next(length);
            int[] expected = Enumerable.Range(0, length).OrderBy(i => float.IsNaN(row[i])).ThenByDescending(i => row[i]).ThenBy(i => i).Take(k).ToArray();
            int[] found = new int[k];
            TopK.Select(row, k, found);
            Assert.Equal(expected, found);
        }
    }

    [OpenCLFact]
    public void RowsOnOpenCLEqualTheProcessors() => RowsEqualTheProcessors(TestDevices.OpenCL!);

    [Fact]
    public void RowsInPtxEqualTheProcessors() => RowsEqualTheProcessors(TestDevices.Ptx);

    private static void RowsEqualTheProcessors(Device device)
    {
        RandomSource random = new(9);
        Tensor x = new(new Shape(7, 601));
        foreach (ref float value in x.Span)
        {
            value = random.Next(9) switch { 0 => float.NegativeInfinity, 1 => float.PositiveInfinity, int v => v };
        }

        x[3, 17] = float.NaN;
        x[3, 500] = float.NaN;
        int[] expected = new int[7 * 601];
        TopK.SelectOfRows(x, 601, expected);
        x.MoveTo(device);
        int[] found = new int[7 * 601];
        TopK.SelectOfRows(x, 601, found);
        Assert.Equal(expected, found);
        Assert.Equal(device, x.Device);
        Assert.Throws<ArgumentException>(() => Op.ArgMaxOfRows(x, new int[7]));

        Tensor y = LinearTests.Random(random, new Shape(5, 50_257));
        (int[] largest, int[] sameOnDevice) = (new int[5], new int[5]);
        Op.ArgMaxOfRows(y, largest);
        y.MoveTo(device);
        Op.ArgMaxOfRows(y, sameOnDevice);
        Assert.Equal(largest, sameOnDevice);
    }

    [Fact]
    public void ALargeVocabulary()
    {
        float[] row = new float[50257];
        new RandomSource(2).FillGaussian(row, 1);
        int[] found = new int[50];
        TopK.Select(row, 50, found);
        Assert.Equal(Enumerable.Range(0, row.Length).OrderByDescending(i => row[i]).Take(50), found);
    }

    [Fact]
    public void AscendingAndDescendingRows()
    {
        float[] row = Enumerable.Range(0, 100).Select(i => (float)i).ToArray();
        int[] found = new int[4];
        TopK.Select(row, 3, found);
        Assert.Equal([99, 98, 97, 0], found);
        Array.Reverse(row);
        TopK.Select(row, 3, found);
        Assert.Equal([0, 1, 2, 0], found);
    }

    [Fact]
    public void NotANumberComesLast()
    {
        int[] found = new int[3];
        TopK.Select([float.NaN, float.NegativeInfinity, float.NaN], 3, found);
        Assert.Equal([1, 0, 2], found);
    }

    [Fact]
    public void WrongCountsAreNamed()
    {
        Assert.StartsWith(
            "TopK: 3 of 2 elements cannot be selected.",
            Assert.Throws<ArgumentOutOfRangeException>(() => TopK.Select([1, 2], 3, new int[3])).Message,
            StringComparison.Ordinal);
        Assert.Equal(
            "TopK: the result needs 2 places, it has 1.",
            Assert.Throws<ArgumentException>(() => TopK.Select([1, 2], 2, new int[1])).Message);
    }
}
