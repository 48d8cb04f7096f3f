using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class SiluTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape, 2)],
        Fast = x => Op.Silu(x[0]),
        Plain = x => SiluPlain.Forward(x[0]),
        PlainBackward = (x, dy) => [SiluPlain.Backward(x[0], dy)],
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Silu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Silu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Silu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Silu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("Silu", random => Draw(random, new Shape(2, length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.Silu(x[0]), new Shape(211, 1030));

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor x = new(new Shape(6), [float.NaN, float.PositiveInfinity, -1e30f, 1e30f, 0, float.NegativeInfinity]) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        Tensor y = Op.Silu(x);
        Assert.Equal([float.NaN, float.PositiveInfinity, 0, 1e30f, 0, 0], y.Span.ToArray());
        tape.Backward(y, [1, 1, 1, 1, 1, 1]);
        Assert.Equal([float.NaN, 1, 0, 1, 0.5f, 0], x.Grad!.Span.ToArray());
    }
}
