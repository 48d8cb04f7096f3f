using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class RmsNormTests
{
    private static OpInstance Draw(RandomSource random, int rows, int columns) => new()
    {
        Inputs =
        [
            OpInput.Gaussian(random, new Shape(rows, columns), 1, shift: 0.5),
            OpInput.Gaussian(random, new Shape(columns), 0.3, shift: 1),
        ],
        Fast = x => Op.RmsNorm(x[0], x[1], 0.1f),
        Plain = x => RmsNormPlain.Forward(x[0], x[1], 0.1f),
        PlainBackward = (x, dy) =>
        {
            (double[] dx, double[] dgain) = RmsNormPlain.Backward(x[0], x[1], 0.1f, dy);
            return [dx, dgain];
        },
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("RmsNorm", random => Draw(random, 1 + random.Next(7), 1 + random.Next(150))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("RmsNorm", random => Draw(random, 1 + random.Next(90), 1 + random.Next(900))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("RmsNorm", random => Draw(random, 1 + random.Next(90), 1 + random.Next(900))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("RmsNorm", random => Draw(random, 2, 1 + random.Next(30))), cases: 1);

    [Fact]
    public void EveryWidth()
    {
        for (int columns = 1; columns <= 33; columns++)
        {
            OpChecks.CheckInstance(new OpCase("RmsNorm", random => Draw(random, 3, columns)), (ulong)columns);
        }
    }

    [Fact]
    public void ManyRows() => OpChecks.CheckInstance(new OpCase("RmsNorm", random => Draw(random, 300, 129)), 3);

    [Fact]
    public void AKnownRow()
    {
        Tensor y = Op.RmsNorm(new Tensor(new Shape(1, 2), [3, 4]), new Tensor(new Shape(2), [1, 2]), 0);
        OpChecks.AssertClose([3 / Math.Sqrt(12.5), 8 / Math.Sqrt(12.5)], y.Span, 1e-6, "3-4 row");
    }

    [Fact]
    public void NotANumberStaysInItsRow()
    {
        Tensor x = Tensor.Full(new Shape(3, 20), 1);
        x[0, 19] = float.NaN;
        x[1, 3] = float.PositiveInfinity;
        Tensor y = Op.RmsNorm(x, Tensor.Full(new Shape(20), 1), 0);
        Assert.All(y.Row(0).ToArray(), v => Assert.True(float.IsNaN(v)));
        Assert.True(float.IsNaN(y[1, 3]));
        Assert.All(y.Row(2).ToArray(), v => Assert.Equal(1, v));
    }

    [Fact]
    public void AFrozenGainGetsNoGradient()
    {
        Tensor x = new(new Shape(1, 5), [1, 2, 3, 4, 5]) { RequiresGrad = true };
        Tensor gain = Tensor.Full(new Shape(5), 1);
        using Tape tape = Tape.Start();
        tape.Backward(Op.RmsNorm(x, gain, 1e-5f), [1, 0, 0, 0, 0]);
        Assert.NotNull(x.Grad);
        Assert.Null(gain.Grad);
    }

    [Fact]
    public void ThreadsDoNotChangeBits() =>
        ThreadChecks.SameBits(x => Op.RmsNorm(x[0], x[1], 1e-5f), new Shape(211, 1030), new Shape(1030));

    [Fact]
    public void AWrongGainIsNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => Op.RmsNorm(new Tensor(new Shape(2, 3)), new Tensor(new Shape(4)), 1e-5f));
        Assert.Equal("RmsNorm: the gain [4] must be a vector of 3, the width of the input [2, 3].", error.Message);
    }

    [Fact]
    public void AGradientNearTheSubnormalRangeCountsAsZero()
    {
        Tensor x = new(new Shape(3, 37)) { RequiresGrad = true }, gain = Tensor.Full(new Shape(37), 1e20f);
        gain.RequiresGrad = true;
        new RandomSource(1).FillGaussian(x.Span, 1);
        using Tape tape = Tape.Start();
        tape.Backward(Op.RmsNorm(x, gain, 1e-5f), [.. Enumerable.Repeat(1e-37f, x.Length)]);
        Assert.All(x.Grad!.Span.ToArray(), gradient => Assert.Equal(0f, gradient));
        Assert.All(gain.Grad!.Span.ToArray(), gradient => Assert.Equal(0f, gradient));
    }
}
