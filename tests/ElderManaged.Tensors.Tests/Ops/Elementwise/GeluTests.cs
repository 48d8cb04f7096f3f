using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class GeluTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape, 2)],
        Fast = x => Op.Gelu(x[0]),
        Plain = x => GeluPlain.Forward(x[0]),
        PlainBackward = (x, dy) => [GeluPlain.Backward(x[0], dy)],
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Gelu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Gelu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Gelu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Gelu", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("Gelu", random => Draw(random, new Shape(length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.Gelu(x[0]), new Shape(211, 1030));

    [Fact]
    public void AccurateEverywhere()
    {
        double[] x = [.. Enumerable.Range(-30_000, 60_001).Select(i => (double)(float)(i * 0.00041))];
        double[] values = GeluPlain.Forward(x), slopes = GeluPlain.Backward(x, [.. x.Select(_ => 1.0)]);
        Tensor input = new(new Shape(x.Length), [.. x.Select(v => (float)v)]) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        Tensor y = Op.Gelu(input);
        tape.Backward(y, [.. x.Select(_ => 1f)]);
        for (int i = 0; i < x.Length; i++)
        {
            // Half a unit of a number near 1, and the rounding of the value itself.
            Assert.Equal(values[i], y[i], 5e-8 + (6.1e-8 * Math.Abs(x[i])));
            Assert.Equal(slopes[i], input.Grad![i], 1.3e-7);
        }
    }

    [Fact]
    public void SmallNumbersKeepTheirDigits()
    {
        for (float x = 1e-3f; x > 1e-35f; x *= 0.77f)
        {
            Tensor both = new(new Shape(2), [x, -x]);
            double[] expected = GeluPlain.Forward([x, -x]);
            Tensor y = Op.Gelu(both);
            Assert.Equal(expected[0], y[0], 3e-7 * x);
            Assert.Equal(expected[1], y[1], 3e-7 * x);
        }
    }

    [Fact]
    public void NumbersNearTheSubnormalRangeCountAsZero()
    {
        float[] tiny = [1e-37f, -1e-37f, 1e-39f, -1e-39f, float.Epsilon];
        Tensor x = new(new Shape(40), [.. Enumerable.Range(0, 40).Select(i => tiny[i % tiny.Length])]) { RequiresGrad = true };
        Tensor z = new(new Shape(40), [.. Enumerable.Range(0, 40).Select(i => i * 0.1f)]) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        Tensor y = Op.Gelu(x);
        Assert.All(y.Span.ToArray(), value => Assert.Equal(0f, value));
        tape.Backward(y, [.. Enumerable.Repeat(1f, 40)]);
        Assert.All(x.Grad!.Span.ToArray(), slope => Assert.Equal(0.5f, slope));
        tape.Backward(Op.Gelu(z), x.Span);
        Assert.All(z.Grad!.Span.ToArray(), gradient => Assert.Equal(0f, gradient));
    }

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor x = new(new Shape(6), [float.NaN, float.PositiveInfinity, -1e30f, 1e30f, 0, float.NegativeInfinity]) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        Tensor y = Op.Gelu(x);
        Assert.Equal([float.NaN, float.PositiveInfinity, 0, 1e30f, 0, 0], y.Span.ToArray());
        tape.Backward(y, [1, 1, 1, 1, 1, 1]);
        Assert.Equal([float.NaN, 1, 0, 1, 0.5f, 0], x.Grad!.Span.ToArray());
    }
}
