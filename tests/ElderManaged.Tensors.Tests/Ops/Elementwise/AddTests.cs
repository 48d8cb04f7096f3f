using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class AddTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape), OpInput.Gaussian(random, shape)],
        Fast = x => Op.Add(x[0], x[1]),
        Plain = x => AddPlain.Forward(x[0], x[1]),
        PlainBackward = (_, dy) =>
        {
            (double[] da, double[] db) = AddPlain.Backward(dy);
            return [da, db];
        },
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Add", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Add", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Add", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Add", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [OpenCLFact]
    public void SharedGradientsPartOnOpenCLAsOnTheProcessor()
    {
        // Both terms of a sum share dy until one of them gets another contribution; slices write into the middle of a gradient.
        RandomSource random = new(12);
        Tensor x = LinearTests.Random(random, new Shape(6, 50));
        x.RequiresGrad = true;
        float[] expected = Gradient();
        x.Grad = null;
        x.MoveTo(TestDevices.OpenCL!);
        float[] found = Gradient();
        Assert.Equal(TestDevices.OpenCL, x.Grad!.Device);
        OpChecks.AssertClose(expected.Select(g => (double)g).ToArray(), found, 1e-6, "gradient");
        x.Grad = null;
        Assert.Equal(found, Gradient());

        float[] Gradient()
        {
            using Tape tape = Tape.Start();
            Tensor a = Op.Scale(x, 2);
            Tensor b = Op.Mul(x, x);
            Tensor middle = Op.SliceRows(a, 2, 3);
            Tensor sum = Op.Add(Op.Mul(a, b), Op.Add(a, b));
            tape.Backward(Op.Add(Op.Sum(sum), Op.Sum(Op.Mul(middle, middle))));
            return x.Grad!.ReadOnlySpan.ToArray();
        }
    }

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("Add", random => Draw(random, new Shape(length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.Add(x[0], x[1]), new Shape(211, 1030), new Shape(211, 1030));

    [Fact]
    public void DifferentShapesAreNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.Add(new Tensor(new Shape(2, 3)), new Tensor(new Shape(3, 2))));
        Assert.Equal("Add: the shapes differ, left [2, 3], right [3, 2].", error.Message);
    }

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor a = new(new Shape(4), [float.NaN, float.PositiveInfinity, float.PositiveInfinity, float.MaxValue]);
        Tensor b = new(new Shape(4), [1, 2, float.NegativeInfinity, float.MaxValue]);
        Assert.Equal([float.NaN, float.PositiveInfinity, float.NaN, float.PositiveInfinity], Op.Add(a, b).Span.ToArray());
    }
}
