using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class ScaleTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape)],
        Fast = x => Op.Scale(x[0], -1.7f),
        Plain = x => ScalePlain.Forward(x[0], -1.7f),
        PlainBackward = (_, dy) => [ScalePlain.Backward(dy, -1.7f)],
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Scale", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Scale", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Scale", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Scale", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("Scale", random => Draw(random, new Shape(length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.Scale(x[0], 0.3f), new Shape(211, 1030));

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor x = new(new Shape(3), [float.NaN, float.PositiveInfinity, 0]);
        Assert.Equal([float.NaN, float.NegativeInfinity, 0], Op.Scale(x, -2).Span.ToArray());
        Assert.Equal([float.NaN, float.NaN, 0], Op.Scale(x, 0).Span.ToArray());
    }
}
