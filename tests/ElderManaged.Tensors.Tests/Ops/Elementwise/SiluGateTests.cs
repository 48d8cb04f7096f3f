using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class SiluGateTests
{
    private static OpInstance Draw(RandomSource random, Shape shape) => new()
    {
        Inputs = [OpInput.Gaussian(random, shape, 2), OpInput.Gaussian(random, shape, 2)],
        Fast = x => Op.SiluGate(x[0], x[1]),
        Plain = x => SiluPlain.GateForward(x[0], x[1]),
        PlainBackward = (x, dy) =>
        {
            (double[] dgate, double[] dup) = SiluPlain.GateBackward(x[0], x[1], dy);
            return [dgate, dup];
        },
    };

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("SiluGate", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("SiluGate", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("SiluGate", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("SiluGate", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 33; length++)
        {
            OpChecks.CheckInstance(new OpCase("SiluGate", random => Draw(random, new Shape(2, length))), (ulong)length);
        }
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(x => Op.SiluGate(x[0], x[1]), new Shape(211, 1030), new Shape(211, 1030));

    [Fact]
    public void IsSiluTimesUp()
    {
        RandomSource random = new(3);
        Tensor gate = new(new Shape(50));
        Tensor up = new(new Shape(50));
        random.FillGaussian(gate.Span, 2);
        random.FillGaussian(up.Span, 2);
        Assert.Equal(Op.Mul(Op.Silu(gate), up).Span.ToArray(), Op.SiluGate(gate, up).Span.ToArray());
    }

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor gate = new(new Shape(4), [float.NaN, float.PositiveInfinity, -1e30f, float.NegativeInfinity]);
        Tensor up = new(new Shape(4), [0, -2, 5, 5]);
        Assert.Equal([float.NaN, float.NegativeInfinity, 0, 0], Op.SiluGate(gate, up).Span.ToArray());
    }

    [Fact]
    public void OnlyTheWantedGradientIsTaken()
    {
        Tensor gate = Tensor.Full(new Shape(3), 1);
        Tensor up = new(new Shape(3)) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        tape.Backward(Op.SiluGate(gate, up), [1, 1, 1]);
        Assert.Null(gate.Grad);
        OpChecks.AssertClose([0.7310585786, 0.7310585786, 0.7310585786], up.Grad!.Span, 1e-6, "dup");
    }

    [Fact]
    public void DifferentShapesAreNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.SiluGate(new Tensor(new Shape(2, 3)), new Tensor(new Shape(3, 2))));
        Assert.Equal("SiluGate: the shapes differ, left [2, 3], right [3, 2].", error.Message);
    }
}
