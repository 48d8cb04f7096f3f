using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class LogTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [Positive(random, shape)],
        Fast = x => Op.Log(x[0]),
        Plain = x => LogPlain.Forward(x[0]),
        PlainBackward = (x, dy) => [LogPlain.Backward(x[0], dy)],
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Log", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Log", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Log", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Log", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("Log", random => Draw(random, new Shape(2, length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.Log(Op.Mul(x[0], x[0])), new Shape(211, 1030));

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor x = new(new Shape(6), [float.NaN, float.PositiveInfinity, 0, -1, 1, float.Epsilon]);
        float[] y = Op.Log(x).Span.ToArray();
        Assert.Equal([float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 0], y[..5]);
        Assert.Equal(-103.27893, y[5], 1e-4);
    }

    private static OpInput Positive(RandomSource random, Shape shape)
    {
        OpInput input = OpInput.Gaussian(random, shape);
        return new OpInput(shape, input.Values.Select(v => (double)(float)(Math.Abs(v) + 0.2)).ToArray());
    }
}
