using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class RopeTests
{
    private static OpInstance Draw(RandomSource random, int rows, int heads, int headWidth, bool interleaved, bool packed)
    {
        int[] positions = new int[rows];
        for (int i = 0; i < rows; i++)
        {
            positions[i] = random.Next(300);
        }

        SequenceLayout layout = new([rows / 2, rows - (rows / 2)], [0, 17]);
        if (packed)
        {
            positions = layout.Positions.ToArray();
        }

        return new()
        {
            Inputs = [OpInput.Gaussian(random, new Shape(rows, heads * headWidth))],
            Fast = x => packed ? Op.Rope(x[0], layout, headWidth, 10000, interleaved) : Op.Rope(x[0], positions, headWidth, 10000, interleaved),
            Plain = x => RopePlain.Forward(x[0], positions, headWidth, 10000, interleaved),
            PlainBackward = (_, dy) => [RopePlain.Backward(dy, positions, headWidth, 10000, interleaved)],
            Description = $"{heads} heads of {headWidth}, interleaved {interleaved}, packed {packed}",
        };
    }

    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(new OpCase("Rope", random => Draw(
        random, 1 + random.Next(7), 1 + random.Next(4), 2 * (1 + random.Next(40)), random.Next(2) == 0, random.Next(2) == 0)));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Rope", random => Draw(
        random, 1 + random.Next(40), 1 + random.Next(4), 2 * (1 + random.Next(40)), random.Next(2) == 0, random.Next(2) == 0)));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Rope", random => Draw(
        random, 1 + random.Next(40), 1 + random.Next(4), 2 * (1 + random.Next(40)), random.Next(2) == 0, random.Next(2) == 0)), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(
        TestDevices.Simulator, new OpCase("Rope", random => Draw(random, 3, 2, 6, random.Next(2) == 0, random.Next(2) == 0)), cases: 2);

    [Fact]
    public void EveryHeadWidth()
    {
        for (int half = 1; half <= 33; half++)
        {
            OpChecks.CheckInstance(new OpCase("Rope", random => Draw(random, 3, 2, 2 * half, half % 2 == 0, half % 3 == 0)), (ulong)half);
            OpChecks.CheckInstance(new OpCase("Rope", random => Draw(random, 3, 2, 2 * half, half % 2 != 0, half % 3 == 0)), (ulong)half);
        }
    }

    [Fact]
    public void ThePairsAreThoseOfTheTwoConventions()
    {
        Tensor x = new(new Shape(1, 4), [1, 0, 0, 0]);
        (float sin, float cos) = MathF.SinCos(1);
        OpChecks.AssertClose([cos, 0, sin, 0], Op.Rope(x, [1], 4, 10000).Span, 1e-6, "halves");
        OpChecks.AssertClose([cos, sin, 0, 0], Op.Rope(x, [1], 4, 10000, interleaved: true).Span, 1e-6, "pairs");
    }

    [Fact]
    public void FarPositionsKeepTheirAngle()
    {
        int[] positions = [1_000, 9_999];
        RandomSource random = new(4);
        OpInput input = OpInput.Gaussian(random, new Shape(2, 64));
        Tensor x = new(input.Shape, input.Values.Select(v => (float)v).ToArray());
        OpChecks.AssertClose(
            RopePlain.Forward(input.Values, positions, 64, 500_000, false), Op.Rope(x, positions, 64, 500_000).Span, 1e-6, "far");
    }

    [Fact]
    public void PositionsMayChangeBeforeBackward()
    {
        Tensor x = new(new Shape(1, 2), [1, 2]) { RequiresGrad = true };
        int[] positions = [3];
        using Tape tape = Tape.Start();
        Tensor y = Op.Rope(x, positions, 2, 10000);
        positions[0] = 200;
        tape.Backward(y, [1, 0]);
        OpChecks.AssertClose([Math.Cos(3), -Math.Sin(3)], x.Grad!.Span, 1e-6, "gradient");
    }

    [Fact]
    public void SpecialValuesFollowIeee()
    {
        Tensor y = Op.Rope(new Tensor(new Shape(1, 4), [float.NaN, float.PositiveInfinity, 1, 2]), [1], 4, 10000);
        Assert.Equal([float.NaN, float.PositiveInfinity, float.NaN, float.PositiveInfinity], y.Span.ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EverySimdLevelGivesTheSameBits(bool interleaved)
    {
        Tensor x = LinearTests.Random(new RandomSource(8), new Shape(5, 3 * 46));
        float[][] Compute() => Threads.ValueAndGradients(() => Op.Rope(x, [4, 0, 7, 90, 2], 46, 10000, interleaved), x);
        float[][] best = Compute();
        for (SimdLevel level = SimdLevel.Scalar; level < Simd.Best; level++)
        {
            using (Simd.Force(level))
            {
                Assert.Equal(best, Compute());
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void GradientsOfTwoUsesAreAdded(bool interleaved)
    {
        Tensor x = LinearTests.Random(new RandomSource(9), new Shape(3, 40));
        float[] once = Threads.ValueAndGradients(() => Op.Rope(x, [1, 2, 3], 20, 10000, interleaved), x)[1];
        float[] twice = Threads.ValueAndGradients(
            () => Op.Add(Op.Rope(x, [1, 2, 3], 20, 10000, interleaved), Op.Rope(x, [1, 2, 3], 20, 10000, interleaved)), x)[1];
        Assert.Equal(once.Select(g => 2 * g).ToArray(), twice);
    }

    [Fact]
    public void ThreadsDoNotChangeBits()
    {
        SequenceLayout layout = new([100, 111]);
        ThreadChecks.SameBits(x => Op.Rope(x[0], layout, 34, 10000), new Shape(211, 34 * 30));
    }

    [Fact]
    public void WrongSizesAreNamed()
    {
        Tensor x = new(new Shape(2, 12));
        Assert.Equal(
            "Rope: the head width 5 must be even and divide the width of the input [2, 12].",
            Assert.Throws<ArgumentException>(() => Op.Rope(x, [0, 1], 5, 10000)).Message);
        Assert.Equal(
            "Rope: 3 positions for the 2 rows of the input [2, 12].",
            Assert.Throws<ArgumentException>(() => Op.Rope(x, [0, 1, 2], 6, 10000)).Message);
        Assert.Equal("Rope: position -1 is negative.", Assert.Throws<ArgumentException>(() => Op.Rope(x, [0, -1], 6, 10000)).Message);
    }
}
