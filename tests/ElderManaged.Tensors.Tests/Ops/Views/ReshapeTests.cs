using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class ReshapeTests
{
    private static OpCase ReshapeCase => new("Reshape", random =>
    {
        Shape shape = new(1 + random.Next(6), 1 + random.Next(50));
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, shape)],
            Fast = x => Op.Reshape(x[0], new Shape(shape[1], shape[0])),
            Plain = x => [.. x[0]],
            PlainBackward = (x, dy) => [[.. dy]],
        };
    });

    [Fact]
    public void ReshapeValueAndGradients() => OpChecks.Holds(ReshapeCase);

    [OpenCLFact]
    public void ReshapeOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, ReshapeCase);

    [Fact]
    public void ReshapeInPtx() => OpChecks.HoldsOn(TestDevices.Ptx, ReshapeCase, cases: 3);

    [Fact]
    public void ReshapeOnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, ReshapeCase, cases: 2);

    private static OpCase SliceRowsCase => new("SliceRows", random =>
    {
        Shape shape = new(1 + random.Next(9), 1 + random.Next(40));
        int start = random.Next(shape[0]);
        int count = 1 + random.Next(shape[0] - start);
        int first = start * shape[1];
        int length = count * shape[1];
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, shape)],
            Fast = x => Op.SliceRows(x[0], start, count),
            Plain = x => x[0][first..(first + length)],
            PlainBackward = (x, dy) => [[.. new double[first], .. dy, .. new double[x[0].Length - first - length]]],
            Description = $"rows {start} to {start + count - 1}",
        };
    });

    [Fact]
    public void SliceRowsValueAndGradients() => OpChecks.Holds(SliceRowsCase);

    [OpenCLFact]
    public void SliceRowsOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, SliceRowsCase);

    [Fact]
    public void SliceRowsInPtx() => OpChecks.HoldsOn(TestDevices.Ptx, SliceRowsCase, cases: 3);

    [Fact]
    public void SliceRowsOnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, SliceRowsCase, cases: 2);

    [Fact]
    public void OverlappingSlicesAddTheirGradients()
    {
        Tensor x = new(new Shape(3, 2)) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        tape.Backward(Op.Add(Op.SliceRows(x, 0, 2), Op.SliceRows(x, 1, 2)), [1, 2, 3, 4]);
        Assert.Equal([1, 2, 4, 6, 3, 4], x.Grad!.Span.ToArray());
    }

    [Fact]
    public void WrongSizesAreNamed()
    {
        Tensor x = new(new Shape(2, 3));
        Assert.Equal(
            "Reshape: [2, 3] has 6 elements, [4] has 4.",
            Assert.Throws<ArgumentException>(() => Op.Reshape(x, new Shape(4))).Message);
        Assert.Equal(
            "SliceRows: rows 1 to 2 are outside of [2, 3].",
            Assert.Throws<ArgumentException>(() => Op.SliceRows(x, 1, 2)).Message);
    }
}
