using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class AddBiasTests
{
    private static OpInstance Draw(RandomSource random, int rows, int columns) => new()
    {
        Inputs = [OpInput.Gaussian(random, new Shape(rows, columns)), OpInput.Gaussian(random, new Shape(columns))],
        Fast = x => Op.AddBias(x[0], x[1]),
        Plain = x => AddBiasPlain.Forward(x[0], x[1]),
        PlainBackward = (x, dy) =>
        {
            (double[] dx, double[] dbias) = AddBiasPlain.Backward(dy, x[1].Length);
            return [dx, dbias];
        },
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("AddBias", random => Draw(random, 1 + random.Next(9), 1 + random.Next(150))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("AddBias", random => Draw(random, 1 + random.Next(300), 1 + random.Next(700))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("AddBias", random => Draw(random, 1 + random.Next(300), 1 + random.Next(700))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("AddBias", random => Draw(random, 1 + random.Next(70), 1 + random.Next(30))), cases: 2);

    [Fact]
    public void EveryWidth()
    {
        for (int columns = 1; columns <= 33; columns++)
        {
            OpChecks.CheckInstance(new OpCase("AddBias", random => Draw(random, 3, columns)), (ulong)columns);
        }
    }

    [Fact]
    public void ManyRows() => OpChecks.CheckInstance(new OpCase("AddBias", random => Draw(random, 301, 130)), 3);

    [Fact]
    public void ThreadsDoNotChangeBits() =>
        ThreadChecks.SameBits(x => Op.AddBias(x[0], x[1]), new Shape(211, 1030), new Shape(1030));

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor x = new(new Shape(2, 2), [float.NaN, float.PositiveInfinity, 1, 2]);
        Tensor bias = new(new Shape(2), [1, float.NegativeInfinity]);
        Assert.Equal([float.NaN, float.NaN, 2, float.NegativeInfinity], Op.AddBias(x, bias).Span.ToArray());
    }

    [Fact]
    public void AWrongBiasIsNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => Op.AddBias(new Tensor(new Shape(2, 3)), new Tensor(new Shape(1, 3))));
        Assert.Equal("AddBias: the bias [1, 3] must be a vector of 3, the width of the input [2, 3].", error.Message);
    }
}
