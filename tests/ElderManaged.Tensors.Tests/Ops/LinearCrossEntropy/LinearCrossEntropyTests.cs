using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class LinearCrossEntropyTests
{
    private static OpCase Case(int mostRows, int mostOutputs, int mostInputs) => new("LinearCrossEntropy", random =>
    {
        (int rows, int outputs, int inputs) = (1 + random.Next(mostRows), 1 + random.Next(mostOutputs), 1 + random.Next(mostInputs));
        int[] targets = CrossEntropyTests.Targets(random, rows, outputs);
        OpInput w = OpInput.Gaussian(random, new Shape(outputs, inputs));
        FrozenMatrix weight = FrozenMatrix.FromDense(w.Values.Select(v => (float)v).ToArray(), outputs, inputs);
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(rows, inputs))],
            Description = $"{outputs} outputs",
            Fast = x => Op.LinearCrossEntropy(x[0], weight, targets),
            Plain = x => LinearCrossEntropyPlain.Forward(x[0], w.Values, targets, outputs, inputs),
            PlainBackward = (x, dy) => [LinearCrossEntropyPlain.Backward(x[0], w.Values, targets, dy, outputs, inputs)],
        };
    });

    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(Case(40, 300, 24));

    [Fact]
    public void ValueAndGradientsOverSeveralBlocksAndSegments() => OpChecks.Holds(Case(3, 20_000, 8), cases: 6);

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, Case(20, 700, 60));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, Case(20, 700, 60), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, Case(2, 40, 5), cases: 1);

    [Theory]
    [InlineData(SimdLevel.Scalar, StoredNumbers.Float32)]
    [InlineData(SimdLevel.Vector128, StoredNumbers.Float32)]
    [InlineData(SimdLevel.Vector256, StoredNumbers.Q8_0)]
    [InlineData(SimdLevel.Vector512, StoredNumbers.Float32)]
    [InlineData(SimdLevel.Vector512, StoredNumbers.BFloat16)]
    [InlineData(SimdLevel.Vector512, StoredNumbers.Q4_1)]
    public void IsTheCrossEntropyOfALinearLayer(SimdLevel level, StoredNumbers numbers)
    {
        // Several blocks in a segment and several segments, with a rest behind whole panels; more rows than share a reading.
        const int Outputs = 4_113, Inputs = 320;
        using Simd.ForcedLevel forced = Simd.Force(level);
        RandomSource random = new(3);
        Tensor w = LinearTests.Random(random, new Shape(Outputs, Inputs));
        FrozenMatrix weight = numbers == StoredNumbers.Float32 ? FrozenMatrix.FromDense(w.Span, Outputs, Inputs) : FrozenMatrix.Quantize(numbers, w.Span, Outputs, Inputs);
        foreach (int rows in new[] { 1, 5, 16, 33, 70 })
        {
            Tensor x = LinearTests.Random(random, new Shape(rows, Inputs));
            int[] targets = CrossEntropyTests.Targets(random, rows, Outputs);
            targets[0] = Outputs - 1;
            float[][] expected = Threads.ValueAndGradients(() => Op.CrossEntropyOfRows(Op.Linear(x, weight, null), targets), x);
            float[][] found = Threads.ValueAndGradients(() => Op.LinearCrossEntropy(x, weight, targets), x);
            for (int i = 0; i < 2; i++)
            {
                OpChecks.AssertClose([.. expected[i].Select(v => (double)v)], found[i], 1e-5, $"{rows} rows, {(i == 0 ? "losses" : "gradient")}");
            }
        }
    }

    [Fact]
    public void LogitsThatRiseFromBlockToBlockAreAddedUp()
    {
        // Output j has the logit j/50: each block is above all before it. The last row's target is sure: what it gets to learn is small, and right.
        const int Outputs = 9_000, Inputs = 64;
        float[] w = new float[Outputs * Inputs];
        for (int j = 0; j < Outputs; j++)
        {
            w[j * Inputs] = j / 50f;
            w[(j * Inputs) + 1] = j == 77 ? 1 : 0;
        }

        Tensor x = new(new Shape(3, Inputs));
        (x[0, 0], x[1, 0], x[2, 1]) = (1, -1, 25);
        int[] targets = [5, 8_999, 77];
        double[] wide = [.. w.Select(v => (double)v)], input = [.. x.Span.ToArray().Select(v => (double)v)];
        float[][] found = Threads.ValueAndGradients(() => Op.LinearCrossEntropy(x, FrozenMatrix.FromDense(w, Outputs, Inputs), targets), x);
        double[] losses = LinearCrossEntropyPlain.Forward(input, wide, targets, Outputs, Inputs);
        Assert.Equal(losses[2], found[0][2], 1e-5 * losses[2]);
        OpChecks.AssertClose(losses, found[0], 1e-6, "losses");
        float[] dy = new float[3];
        new RandomSource(99).FillGaussian(dy, 1);
        double[] dx = LinearCrossEntropyPlain.Backward(input, wide, targets, [.. dy.Select(v => (double)v)], Outputs, Inputs);
        for (int r = 0; r < 3; r++)
        {
            OpChecks.AssertClose(dx.AsSpan(r * Inputs, Inputs), found[1].AsSpan(r * Inputs, Inputs), 2e-5, $"gradient of row {r}");
        }
    }

    [Fact]
    public void WhatIsNotFiniteStaysInItsRow()
    {
        RandomSource random = new(8);
        FrozenMatrix weight = FrozenMatrix.FromDense(LinearTests.Random(random, new Shape(500, 40)).Span, 500, 40);
        Tensor x = LinearTests.Random(random, new Shape(3, 40));
        x[1, 7] = float.NaN;
        float[][] found = Threads.ValueAndGradients(() => Op.LinearCrossEntropy(x, weight, [4, 5, 6]), x);
        Assert.True(float.IsNaN(found[0][1]));
        Assert.All(found[1][40..80], g => Assert.True(float.IsNaN(g)));
        Assert.All((float[])[found[0][0], found[0][2], .. found[1][..40], .. found[1][80..]], v => Assert.True(float.IsFinite(v)));
    }

    [Fact]
    public void GradientsAddUp()
    {
        RandomSource random = new(9);
        FrozenMatrix weight = FrozenMatrix.FromDense(LinearTests.Random(random, new Shape(90, 12)).Span, 90, 12);
        Tensor x = LinearTests.Random(random, new Shape(2, 12));
        float[] once = Threads.ValueAndGradients(() => Op.LinearCrossEntropy(x, weight, [4, 5]), x)[1];
        float[] twice = Threads.ValueAndGradients(() => Op.Add(Op.LinearCrossEntropy(x, weight, [4, 5]), Op.LinearCrossEntropy(x, weight, [4, 5])), x)[1];
        OpChecks.AssertClose([.. once.Select(g => 2.0 * g)], twice, 1e-6, "gradient");
    }

    [Fact]
    public void WrongShapesAndTargetsAreNamed()
    {
        FrozenMatrix weight = FrozenMatrix.FromDense(new float[12], 3, 4);
        Tensor x = new(new Shape(2, 4)) { RequiresGrad = true }, wrong = new(new Shape(2, 5)) { RequiresGrad = true };
        using Tape tape = Tape.Start();
        string Message(Tensor input, params int[] targets) => Assert.Throws<ArgumentException>(() => Op.LinearCrossEntropy(input, weight, targets)).Message;
        Assert.Equal("LinearCrossEntropy: the input [2, 5] must be [rows, 4] for the weight [3, 4].", Message(wrong, 0, 0));
        Assert.Equal("LinearCrossEntropy: target 3 of row 1 is neither a column of the logits [2, 3] nor -100 (ignored).", Message(x, 0, 3));
        Assert.Equal("LinearCrossEntropy: the logits [2, 3] must be [1, vocabulary], one row for each target.", Message(x, 0));
    }

    [Fact]
    public void ThreadsGiveTheSameBits()
    {
        RandomSource random = new(3);
        FrozenMatrix weight = FrozenMatrix.FromDense(LinearTests.Random(random, new Shape(7_001, 96)).Span, 7_001, 96);
        Tensor x = LinearTests.Random(random, new Shape(21, 96));
        int[] targets = CrossEntropyTests.Targets(random, 21, 7_001);
        Threads.GiveTheSameBits(() => Threads.ValueAndGradients(() => Op.LinearCrossEntropy(x, weight, targets), x));
    }

    [Fact]
    public void StepsAllocateNothing()
    {
        RandomSource random = new(5);
        FrozenMatrix weight = FrozenMatrix.FromDense(LinearTests.Random(random, new Shape(7_001, 96)).Span, 7_001, 96);
        Tensor x = LinearTests.Random(random, new Shape(12, 96));
        x.RequiresGrad = true;
        int[] targets = CrossEntropyTests.Targets(random, 12, 7_001);
        SteadyState.AllocatesNothing(() => Op.LinearCrossEntropy(x, weight, targets));
    }
}
