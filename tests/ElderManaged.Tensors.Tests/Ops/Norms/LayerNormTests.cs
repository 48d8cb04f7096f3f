using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class LayerNormTests
{
    private static OpInstance Draw(RandomSource random, int rows, int columns) => new()
    {
        Inputs =
        [
            OpInput.Gaussian(random, new Shape(rows, columns), 1, shift: 1),
            OpInput.Gaussian(random, new Shape(columns), 0.3, shift: 1),
            OpInput.Gaussian(random, new Shape(columns)),
        ],
        Fast = x => Op.LayerNorm(x[0], x[1], x[2], 0.1f),
        Plain = x => LayerNormPlain.Forward(x[0], x[1], x[2], 0.1f),
        PlainBackward = (x, dy) =>
        {
            (double[] dx, double[] dgain, double[] dbias) = LayerNormPlain.Backward(x[0], x[1], 0.1f, dy);
            return [dx, dgain, dbias];
        },
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("LayerNorm", random => Draw(random, 1 + random.Next(7), 1 + random.Next(150))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("LayerNorm", random => Draw(random, 1 + random.Next(90), 1 + random.Next(900))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("LayerNorm", random => Draw(random, 1 + random.Next(90), 1 + random.Next(900))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("LayerNorm", random => Draw(random, 2, 1 + random.Next(30))), cases: 1);

    [Fact]
    public void EveryWidth()
    {
        for (int columns = 1; columns <= 33; columns++)
        {
            OpChecks.CheckInstance(new OpCase("LayerNorm", random => Draw(random, 3, columns)), (ulong)columns);
        }
    }

    [Fact]
    public void ManyRows() => OpChecks.CheckInstance(new OpCase("LayerNorm", random => Draw(random, 300, 129)), 3);

    [Fact]
    public void ARowFarFromZeroKeepsItsVariance()
    {
        Tensor x = new(new Shape(1, 4), [10000f, 10001f, 10002f, 10003f]);
        Tensor y = Op.LayerNorm(x, Tensor.Full(new Shape(4), 1), new Tensor(new Shape(4)), 1e-5f);
        OpChecks.AssertClose([-1.3416354, -0.4472118, 0.4472118, 1.3416354], y.Span, 1e-5, "far row");
    }

    [Fact]
    public void NotANumberStaysInItsRow()
    {
        Tensor x = Tensor.Full(new Shape(3, 20), 1);
        x[0, 19] = float.NaN;
        x[1, 3] = float.PositiveInfinity;
        Tensor y = Op.LayerNorm(x, Tensor.Full(new Shape(20), 1), new Tensor(new Shape(20)), 1e-5f);
        Assert.All(y.Row(0).ToArray(), v => Assert.True(float.IsNaN(v)));
        Assert.True(float.IsNaN(y[1, 3]));
        Assert.All(y.Row(2).ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void AFrozenGainGetsNoGradient()
    {
        Tensor x = new(new Shape(2, 5), [1, 2, 3, 4, 5, 6, 8, 1, 3, 2]) { RequiresGrad = true };
        Tensor gain = Tensor.Full(new Shape(5), 1);
        using Tape tape = Tape.Start();
        Tensor y = Op.LayerNorm(x, gain, new Tensor(new Shape(5)), 1e-5f);
        tape.Backward(y, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        Assert.NotNull(x.Grad);
        Assert.Null(gain.Grad);
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(
        x => Op.LayerNorm(x[0], x[1], x[2], 1e-5f), new Shape(211, 1030), new Shape(1030), new Shape(1030));

    [Fact]
    public void AWrongGainIsNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => Op.LayerNorm(new Tensor(new Shape(2, 3)), new Tensor(new Shape(4)), new Tensor(new Shape(3)), 1e-5f));
        Assert.Equal("LayerNorm: the gain [4] must be a vector of 3, the width of the input [2, 3].", error.Message);
    }

    [Fact]
    public void AGradientNearTheSubnormalRangeCountsAsZero()
    {
        Tensor x = new(new Shape(3, 37)) { RequiresGrad = true }, gain = Tensor.Full(new Shape(37), 1e20f);
        gain.RequiresGrad = true;
        new RandomSource(1).FillGaussian(x.Span, 1);
        using Tape tape = Tape.Start();
        tape.Backward(Op.LayerNorm(x, gain, gain, 1e-5f), [.. Enumerable.Repeat(1e-37f, x.Length)]);
        Assert.All(x.Grad!.Span.ToArray(), gradient => Assert.Equal(0f, gradient));
        Assert.All(gain.Grad!.Span.ToArray(), gradient => Assert.InRange(gradient, 0f, 4e-37f)); // of the bias, which only adds
    }
}
