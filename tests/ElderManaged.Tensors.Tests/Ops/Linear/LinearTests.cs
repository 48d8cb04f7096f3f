using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class LinearTests
{
    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(new OpCase("Linear", random => Draw(random, frozen: false)));

    [Fact]
    public void FrozenValueAndGradients() => OpChecks.Holds(new OpCase("Linear (frozen)", random => Draw(random, frozen: true)));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Linear", random => Draw(random, frozen: false, largest: 150)), cases: 16);

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Linear", random => Draw(random, frozen: false, largest: 150)), cases: 3);

    [OpenCLFact]
    public void FrozenOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Linear (frozen)", random => Draw(random, frozen: true, largest: 150)), cases: 16);

    [Fact]
    public void FrozenInPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Linear (frozen)", random => Draw(random, frozen: true, largest: 150)), cases: 3);

    [Fact]
    public void OnTheSimulator()
    {
        OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Linear", random => Draw(random, frozen: false)), cases: 1);
        OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Linear (frozen)", random => Draw(random, frozen: true)), cases: 1);
    }

    [Fact]
    public void FrozenGivesTheBitsOfDense()
    {
        RandomSource random = new(5);
        Tensor x = Random(random, new Shape(9, 67));
        Tensor w = Random(random, new Shape(45, 67));
        Tensor bias = Random(random, new Shape(45));
        FrozenMatrix frozen = FrozenMatrix.FromDense(w.Span, 45, 67);
        Assert.Equal(Op.Linear(x, w, bias).Span.ToArray(), Op.Linear(x, frozen, bias).Span.ToArray());
    }

    [Fact]
    public void ARowDoesNotDependOnOtherRows()
    {
        RandomSource random = new(6);
        Tensor x = Random(random, new Shape(33, 70));
        Tensor w = Random(random, new Shape(51, 70));
        Tensor bias = Random(random, new Shape(51));
        Tensor all = Op.Linear(x, w, bias);
        for (int r = 0; r < x.Rows; r++)
        {
            Assert.Equal(all.Row(r).ToArray(), Op.Linear(Op.SliceRows(x, r, 1), w, bias).Span.ToArray());
        }
    }

    [Fact]
    public void WrongSizesAreNamed()
    {
        Tensor x = new(new Shape(2, 3));
        Tensor w = new(new Shape(4, 5));
        Assert.Equal("Linear: the input [2, 3] has rows of 3, the weight [4, 5] takes 5.", Assert.Throws<ArgumentException>(() => Op.Linear(x, w, null)).Message);
        Assert.Equal(
            "Linear: the bias [3] must be a vector of 4, the outputs of the weight [4, 3].",
            Assert.Throws<ArgumentException>(() => Op.Linear(x, new Tensor(new Shape(4, 3)), new Tensor(new Shape(3)))).Message);
        Assert.Equal("Linear: the weight [4] must be a matrix [out, in].", Assert.Throws<ArgumentException>(() => Op.Linear(x, new Tensor(new Shape(4)), null)).Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void StepsAllocateNothing(bool frozen)
    {
        RandomSource random = new(7);
        Tensor x = Random(random, new Shape(13, 21));
        Tensor w = Random(random, new Shape(17, 21));
        Tensor bias = Random(random, new Shape(17));
        x.RequiresGrad = w.RequiresGrad = bias.RequiresGrad = true;
        FrozenMatrix constant = FrozenMatrix.FromDense(w.Span, 17, 21);
        SteadyState.AllocatesNothing(frozen ? () => Op.Linear(x, constant, bias) : () => Op.Linear(x, w, bias));
    }

    internal static Tensor Random(RandomSource random, Shape shape)
    {
        Tensor tensor = new(shape);
        random.FillGaussian(tensor.Span, 1);
        return tensor;
    }

    private static OpInstance Draw(RandomSource random, bool frozen, int largest = 40)
    {
        (int rows, int output, int input) = (1 + random.Next(random.Next(2) == 0 ? 9 : largest), 1 + random.Next(largest), 1 + random.Next(largest));
        bool biased = random.Next(2) == 0;
        Shape shape = random.Next(2) == 0 ? new Shape(rows, input) : new Shape(1, rows, input);
        OpInput x = OpInput.Gaussian(random, shape);
        OpInput w = OpInput.Gaussian(random, new Shape(output, input));
        OpInput b = OpInput.Gaussian(random, new Shape(output));
        FrozenMatrix constant = FrozenMatrix.FromDense(w.Values.Select(v => (float)v).ToArray(), output, input);
        return new OpInstance
        {
            Inputs = biased ? [x, w, b] : [x, w],
            Fast = t => frozen ? Op.Linear(t[0], constant, biased ? t[2] : null) : Op.Linear(t[0], t[1], biased ? t[2] : null),
            Plain = v => LinearPlain.Forward(v[0], v[1], biased ? v[2] : null, rows, output, input),
            PlainBackward = (v, dy) =>
            {
                (double[] dx, double[] dw, double[] db) = LinearPlain.Backward(v[0], v[1], dy, rows, output, input);
                double[]? weightGradient = frozen ? null : dw;
                return biased ? [dx, weightGradient, db] : [dx, weightGradient];
            },
        };
    }
}
