using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class RowsTests
{
    private static OpCase GatherRowsCase => new("GatherRows", random =>
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
    });

    [Fact]
    public void GatherRowsValueAndGradients() => OpChecks.Holds(GatherRowsCase);

    [OpenCLFact]
    public void GatherRowsOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, GatherRowsCase);

    [Fact]
    public void GatherRowsInPtx() => OpChecks.HoldsOn(TestDevices.Ptx, GatherRowsCase, cases: 3);

    [Fact]
    public void GatherRowsOnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, GatherRowsCase, cases: 2);

    private static OpCase ScatterRowsCase => new("ScatterRows", random =>
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
    });

    [Fact]
    public void ScatterRowsValueAndGradients() => OpChecks.Holds(ScatterRowsCase);

    [OpenCLFact]
    public void ScatterRowsOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, ScatterRowsCase);

    [Fact]
    public void ScatterRowsInPtx() => OpChecks.HoldsOn(TestDevices.Ptx, ScatterRowsCase, cases: 3);

    [Fact]
    public void ScatterRowsOnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, ScatterRowsCase, cases: 2);

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
