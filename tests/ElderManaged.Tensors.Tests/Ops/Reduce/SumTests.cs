using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class SumTests
{
    private static OpInstance DrawSum(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape, shift: 0.5)],
        Fast = x => Op.Sum(x[0]),
        Plain = x => SumPlain.Forward(x[0]),
        PlainBackward = (x, dy) => [SumPlain.Backward(x[0], dy)],
    };

    private static OpInstance DrawMean(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape, shift: 0.5)],
        Fast = x => Op.Mean(x[0]),
        Plain = x => SumPlain.MeanForward(x[0]),
        PlainBackward = (x, dy) => [SumPlain.MeanBackward(x[0], dy)],
    };

    [Fact]
    public void SumValueAndGradients() =>
        OpChecks.Holds(new OpCase("Sum", random => DrawSum(random, new Shape(1 + random.Next(5), 1 + random.Next(300)))));

    [Fact]
    public void MeanValueAndGradients() =>
        OpChecks.Holds(new OpCase("Mean", random => DrawMean(random, new Shape(1 + random.Next(5), 1 + random.Next(300)))));

    [OpenCLFact]
    public void SumOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Sum", random => DrawSum(random, new Shape(1 + random.Next(5), 1 + random.Next(9000)))));

    [Fact]
    public void SumInPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Sum", random => DrawSum(random, new Shape(1 + random.Next(5), 1 + random.Next(9000)))), cases: 3);

    [Fact]
    public void SumOnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Sum", random => DrawSum(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [OpenCLFact]
    public void MeanOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Mean", random => DrawMean(random, new Shape(1 + random.Next(5), 1 + random.Next(9000)))));

    [Fact]
    public void MeanInPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Mean", random => DrawMean(random, new Shape(1 + random.Next(5), 1 + random.Next(9000)))), cases: 3);

    [Fact]
    public void MeanOnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Mean", random => DrawMean(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 130; length++)
        {
            Shape shape = new(length);
            OpChecks.CheckInstance(new OpCase("Sum", random => DrawSum(random, shape)), (ulong)length);
            OpChecks.CheckInstance(new OpCase("Mean", random => DrawMean(random, shape)), (ulong)length);
        }
    }

    [Fact]
    public void AMillionTenthsStayExactToTheFloat()
    {
        // One running float sum would end near 100958.
        Tensor x = Tensor.Full(new Shape(1_000_003), 0.1f);
        Assert.Equal(1_000_003 * (double)0.1f, Op.Sum(x).Value, 0.02);
        Assert.Equal(0.1f, Op.Mean(x).Value, 1e-7f);
    }

    [Fact]
    public void ThreadsDoNotChangeBits()
    {
        ThreadChecks.SameBits(x => Op.Sum(x[0]), new Shape(301, 1031));
        ThreadChecks.SameBits(x => Op.Mean(x[0]), new Shape(301, 1031));
    }

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor x = Tensor.Full(new Shape(100), 1);
        x[97] = float.PositiveInfinity;
        Assert.Equal(float.PositiveInfinity, Op.Sum(x).Value);
        x[3] = float.NegativeInfinity;
        Assert.Equal(float.NaN, Op.Mean(x).Value);
    }

    [Fact]
    public void AnEmptyTensorHasASumButNoMean()
    {
        Assert.Equal(0, Op.Sum(new Tensor(new Shape(0, 4))).Value);
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.Mean(new Tensor(new Shape(0, 4))));
        Assert.Equal("Mean: [0, 4] has no elements to average.", error.Message);
    }
}
