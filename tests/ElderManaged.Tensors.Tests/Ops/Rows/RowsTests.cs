using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class RowsTests
{
    [Fact]
    public void GatherRowsValueAndGradients() => OpChecks.Holds(new OpCase("GatherRows", random =>
    {
        int count = 1 + random.Next(9);
        int width = 1 + random.Next(40);
        int[] rows = EmbeddingTests.Ids(random, 1 + random.Next(12), count);
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(count, width))],
            Fast = x => Op.GatherRows(x[0], rows),
            Plain = x => RowsPlain.Gather(x[0], rows, width),
            PlainBackward = (_, dy) => [RowsPlain.Scatter(dy, rows, width, count)],
        };
    }));

    [Fact]
    public void ScatterRowsValueAndGradients() => OpChecks.Holds(new OpCase("ScatterRows", random =>
    {
        int count = 1 + random.Next(9);
        int width = 1 + random.Next(40);
        int[] rows = EmbeddingTests.Ids(random, 1 + random.Next(12), count);
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(rows.Length, width))],
            Fast = x => Op.ScatterRows(x[0], rows, count),
            Plain = x => RowsPlain.Scatter(x[0], rows, width, count),
            PlainBackward = (_, dy) => [RowsPlain.Gather(dy, rows, width)],
        };
    }));

    [Fact]
    public void ARowThatDoesNotExistIsNamed()
    {
        Tensor x = new(new Shape(3, 2));
        Assert.Equal(
            "GatherRows: row 3 at position 1 does not exist; there are 3 rows.",
            Assert.Throws<ArgumentException>(() => Op.GatherRows(x, [0, 3])).Message);
        Assert.Equal(
            "ScatterRows: row -1 at position 2 does not exist; there are 4 rows.",
            Assert.Throws<ArgumentException>(() => Op.ScatterRows(x, [0, 3, -1], 4)).Message);
        Assert.Equal(
            "ScatterRows: the input [3, 2] has 3 rows, 2 row numbers were given.",
            Assert.Throws<ArgumentException>(() => Op.ScatterRows(x, [0, 3], 4)).Message);
    }
}
