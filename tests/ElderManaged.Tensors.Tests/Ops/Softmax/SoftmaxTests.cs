using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class SoftmaxTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape, 2)],
        Fast = x => Op.Softmax(x[0]),
        Plain = x => SoftmaxPlain.Forward(x[0], shape.Columns),
        PlainBackward = (x, dy) => [SoftmaxPlain.Backward(x[0], shape.Columns, dy)],
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Softmax", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() =>
        OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Softmax", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() =>
        OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Softmax", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() =>
        OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Softmax", random => Draw(random, new Shape(2, 1 + random.Next(50)))), cases: 1);

    [OpenCLFact]
    public void SpecialValuesFollowIeeeOnOpenCL()
    {
        Tensor x = new(new Shape(4, 2), [float.NegativeInfinity, 3, float.NaN, 1, float.NegativeInfinity, float.NegativeInfinity, 3e38f, -3e38f]);
        x.MoveTo(TestDevices.OpenCL!);
        Assert.Equal([0, 1, float.NaN, float.NaN, float.NaN, float.NaN, 1, 0], Op.Softmax(x).ReadOnlySpan.ToArray());
    }

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("Softmax", random => Draw(random, new Shape(2, length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.Softmax(x[0]), new Shape(211, 1030));

    [Fact]
    public void LargeNumbersDoNotOverflow()
    {
        Tensor y = Op.Softmax(new Tensor(new Shape(2, 3), [1000, 1000, -1000, 3e38f, -3e38f, 3e38f]));
        Assert.Equal([0.5f, 0.5f, 0, 0.5f, 0, 0.5f], y.Span.ToArray());
    }

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor y = Op.Softmax(new Tensor(
            new Shape(3, 2), [float.NegativeInfinity, 3, float.NaN, 1, float.NegativeInfinity, float.NegativeInfinity]));
        Assert.Equal([0, 1, float.NaN, float.NaN, float.NaN, float.NaN], y.Span.ToArray());
    }

    [Fact]
    public void RowsAddToOne()
    {
        Tensor x = new(new Shape(20, 50257));
        new RandomSource(1).FillGaussian(x.Span, 3);
        Tensor y = Op.Softmax(x);
        for (int row = 0; row < y.Rows; row++)
        {
            Assert.Equal(1, y.Row(row).ToArray().Sum(v => (double)v), 1e-6);
        }
    }
}
