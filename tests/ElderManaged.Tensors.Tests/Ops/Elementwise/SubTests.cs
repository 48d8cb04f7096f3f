using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class SubTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape), OpInput.Gaussian(random, shape)],
        Fast = x => Op.Sub(x[0], x[1]),
        Plain = x => SubPlain.Forward(x[0], x[1]),
        PlainBackward = (_, dy) =>
        {
            (double[] da, double[] db) = SubPlain.Backward(dy);
            return [da, db];
        },
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Sub", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Sub", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Sub", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Sub", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("Sub", random => Draw(random, new Shape(length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.Sub(x[0], x[1]), new Shape(211, 1030), new Shape(211, 1030));

    [Fact]
    public void DifferentShapesAreNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.Sub(new Tensor(new Shape(2, 3)), new Tensor(new Shape(3, 2))));
        Assert.Equal("Sub: the shapes differ, left [2, 3], right [3, 2].", error.Message);
    }

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor a = new(new Shape(4), [float.NaN, float.PositiveInfinity, float.PositiveInfinity, float.MaxValue]);
        Tensor b = new(new Shape(4), [1, 2, float.PositiveInfinity, -float.MaxValue]);
        Assert.Equal([float.NaN, float.PositiveInfinity, float.NaN, float.PositiveInfinity], Op.Sub(a, b).Span.ToArray());
    }
}
