using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class SplitColumnsTests
{
    private static OpCase SplitColumnsCase => new("SplitColumns", random =>
    {
        int width = 1 + random.Next(40);
        int part = random.Next(3);
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(1 + random.Next(9), 3 * width))],
            Fast = x => Part(x[0], part),
            Plain = x => SplitColumnsPlain.Forward(x[0], 3 * width, part),
            PlainBackward = (x, dy) => [SplitColumnsPlain.Backward(dy, 3 * width, part)],
            Description = $"part {part}",
        };
    });

    [Fact]
    public void ValueAndGradientsOfEveryPart() => OpChecks.Holds(SplitColumnsCase);

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, SplitColumnsCase);

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, SplitColumnsCase, cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, SplitColumnsCase, cases: 2);

    [Fact]
    public void GradientsOfAllPartsMeetInOneInput()
    {
        // d/dx of a + 2b + 3c: every third of a row has its own factor.
        Tensor x = new(new Shape(2, 6)) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        (Tensor a, Tensor b, Tensor c) = Op.SplitColumns3(x);
        tape.Backward(Op.Add(a, Op.Add(Op.Scale(b, 2), Op.Scale(c, 3))), [1, 10, 100, 1000]);
        Assert.Equal([1, 10, 2, 20, 3, 30, 100, 1000, 200, 2000, 300, 3000], x.Grad!.Span.ToArray());
    }

    [Fact]
    public void GradientsOfTwoPartsAreAddedToWhatIsThere()
    {
        Tensor x = new(new Shape(1, 6)) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        (Tensor a, _, Tensor c) = Op.SplitColumns3(x);
        Tensor whole = Op.Sum(Op.Scale(x, 10)); // recorded later, so its gradient is there before
        tape.Backward(Op.Add(whole, Op.Sum(Op.Add(a, Op.Scale(c, 3)))));
        Assert.Equal([11, 11, 10, 10, 13, 13], x.Grad!.Span.ToArray());
    }

    [Fact]
    public void ThreadsDoNotChangeBits() => ThreadChecks.SameBits(
        x =>
        {
            (Tensor a, Tensor b, Tensor c) = Op.SplitColumns3(x[0]);
            return Op.Add(Op.Mul(a, b), c);
        },
        new Shape(211, 1029));

    [Fact]
    public void AllocatesNothingOnceWarm()
    {
        Tensor x = new(new Shape(300, 600)) { RequiresGrad = true };
        SteadyState.AllocatesNothing(() => Op.SplitColumns3(x).Second);
    }

    [Fact]
    public void AWidthThatIsNoMultipleOfThreeIsNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.SplitColumns3(new Tensor(new Shape(2, 4))));
        Assert.Equal("SplitColumns3: the width 4 of [2, 4] is not a multiple of 3.", error.Message);
    }

    private static Tensor Part(Tensor x, int part)
    {
        (Tensor first, Tensor second, Tensor third) = Op.SplitColumns3(x);
        return part == 0 ? first : part == 1 ? second : third;
    }
}
