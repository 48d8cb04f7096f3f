using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class CrossEntropyTests
{
    private static OpCase Case(int mostRows, int mostColumns, bool overwrite = false) => new("CrossEntropy", random =>
    {
        (int rows, int columns) = (1 + random.Next(mostRows), 1 + random.Next(mostColumns));
        int[] targets = Targets(random, rows, columns);
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(rows, columns), 3)],
            Fast = x => Op.CrossEntropy(x[0], targets, overwrite),
            Plain = x => [CrossEntropyPlain.Forward(x[0], targets, columns)],
            PlainBackward = (x, dy) => [CrossEntropyPlain.Backward(x[0], targets, columns, dy[0])],
        };
    });

    private static OpCase RowsCase(int mostRows, int mostColumns) => new("CrossEntropyOfRows", random =>
    {
        (int rows, int columns) = (1 + random.Next(mostRows), 1 + random.Next(mostColumns));
        int[] targets = Targets(random, rows, columns);
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(rows, columns), 3)],
            Fast = x => Op.CrossEntropyOfRows(x[0], targets),
            Plain = x => CrossEntropyPlain.RowLosses(x[0], targets, columns),
            PlainBackward = (x, dy) => [CrossEntropyPlain.RowsBackward(x[0], targets, columns, dy)],
        };
    });

    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(Case(6, 150));

    [Fact]
    public void ValueAndGradientsOfRows() => OpChecks.Holds(RowsCase(6, 150));

    [OpenCLFact]
    public void RowsOnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, RowsCase(20, 3000));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, Case(20, 3000));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, Case(20, 3000), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, Case(2, 40), cases: 1);

    [OpenCLFact]
    public void OverwrittenLogitsOnOpenCL()
    {
        RandomSource random = new(4);
        Tensor x = LinearTests.Random(random, new Shape(3, 50_257));
        x.RequiresGrad = true;
        int[] targets = [7, Op.IgnoredTarget, 50_256];
        float[] expected = Gradient();
        x.MoveTo(TestDevices.OpenCL!);
        x.Grad = null;
        OpChecks.AssertClose(expected.Select(g => (double)g).ToArray(), Gradient(), 1e-5, "gradient");

        float[] Gradient()
        {
            using Tape tape = Tape.Start();
            tape.Backward(Op.CrossEntropy(Op.Scale(x, 3), targets, overwriteLogits: true));
            Assert.Equal(x.Device, x.Grad!.Device);
            return x.Grad!.ReadOnlySpan.ToArray();
        }
    }

    [OpenCLFact]
    public void LossesAndHitsOfTokensOnOpenCL()
    {
        // A loss of 10⁻⁶ and one of thousands; ties go to the first; ignored rows count nothing.
        Tensor logits = new(new Shape(4, 3), [16, 2, 0, 1000, 999, -1000, 5, 5, 1, 1, 2, 3]);
        int[] targets = [0, 2, 1, Op.IgnoredTarget];
        (float[] losses, bool[] hits) = (new float[4], new bool[4]);
        (float[] expected, bool[] expectedHits) = (new float[4], new bool[4]);
        Op.TokenLosses(logits, targets, expected, expectedHits);
        logits.MoveTo(TestDevices.OpenCL!);
        Op.TokenLosses(logits, targets, losses, hits);
        Assert.Equal(expectedHits, hits);
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(expected[i], losses[i], 1e-5 * expected[i]);
        }

        Assert.Equal(TestDevices.OpenCL, logits.Device);
    }

    [Theory]
    [InlineData(1, 50_257)]
    [InlineData(5, 1_003)]
    public void OverwrittenLogitsGiveTheSameGradient(int rows, int columns)
    {
        RandomSource random = new(4);
        Tensor x = LinearTests.Random(random, new Shape(rows, columns));
        x.RequiresGrad = true;
        int[] targets = Targets(random, rows, columns);
        float[] expected = Gradient(overwrite: false);
        Assert.Contains(expected, g => g < 0);
        Assert.Equal(expected, Gradient(overwrite: true));

        float[] Gradient(bool overwrite)
        {
            x.ZeroGrad();
            using Tape tape = Tape.Start();
            tape.Backward(Op.CrossEntropy(Op.Scale(x, 3), targets, overwrite));
            return x.Grad!.Span.ToArray();
        }
    }

    [Fact]
    public void GradientsOverLogitsThatAreNobodysAloneAreNotWrittenThere()
    {
        // A parameter's own numbers must survive, and so must a view's.
        Tensor x = LinearTests.Random(new RandomSource(5), new Shape(2, 40));
        x.RequiresGrad = true;
        float[] before = x.Span.ToArray();
        using Tape tape = Tape.Start();
        Tensor view = Op.SliceRows(x, 0, 2);
        tape.Backward(Op.Add(Op.CrossEntropy(x, [1, 2], overwriteLogits: true), Op.CrossEntropy(view, [1, 2], overwriteLogits: true)));
        Assert.Equal(before, x.Span.ToArray());
    }

    [Fact]
    public void ArgMaxLooksAtEveryElementOfALongRow()
    {
        float[] row = new float[50_257];
        new RandomSource(6).FillGaussian(row, 1);
        foreach (int at in new[] { 0, 4095, 4096, 31_111, 50_240, 50_256 })
        {
            (float[] largest, float[] strange) = ((float[])row.Clone(), (float[])row.Clone());
            largest[at] = 9;
            strange[at] = float.NaN;
            Assert.Equal(at, Op.ArgMax(largest));
            Assert.Throws<ArgumentException>(() => Op.ArgMax(strange));
        }
    }

    [Fact]
    public void LargeLogitsDoNotOverflow()
    {
        Tensor logits = new(new Shape(2, 3), [1000, 999, -1000, -2000, -2001, -2000]);
        float[] losses = new float[2];
        Op.TokenLosses(logits, [1, 0], losses, default);
        Assert.Equal(1 + Math.Log(1 + Math.Exp(-1)), losses[0], 5);
        Assert.Equal(Math.Log(2 + Math.Exp(-1)), losses[1], 5);
    }

    [Theory]
    [InlineData(40f, 9_000)]   // each block a little above all before: the sum goes on, scaled
    [InlineData(150f, 9_000)]  // far above: the block is done again
    [InlineData(-150f, 9_000)] // the target in the first block is the largest by far
    [InlineData(150f, 20_001)]
    public void LogitsThatRiseFromBlockToBlockAreAddedUp(float rise, int columns)
    {
        float[] values = new float[columns];
        for (int i = 0; i < columns; i++)
        {
            values[i] = (rise * (i / 3_000)) + (i * 7 % 11 * 0.3f);
        }

        Tensor x = new(new Shape(1, columns), values);
        foreach (int target in new[] { 5, columns / 2, columns - 1 })
        {
            double expected = CrossEntropyPlain.Forward([.. values.Select(v => (double)v)], [target], columns);
            Assert.Equal(expected, Op.CrossEntropy(x, [target]).Value, 3e-7 * (1 + Math.Abs(expected)));
        }
    }

    [Fact]
    public void TokenLossesAverageToTheLoss()
    {
        RandomSource random = new(2);
        Tensor logits = LinearTests.Random(random, new Shape(7, 300));
        int[] targets = [5, -100, 299, 0, 17, -100, 3];
        targets[4] = Op.ArgMax(logits.Row(4));
        float[] losses = new float[7];
        bool[] hits = new bool[7];
        Op.TokenLosses(logits, targets, losses, hits);
        double[] expected = CrossEntropyPlain.RowLosses(logits.Span.ToArray().Select(v => (double)v).ToArray(), targets, 300);
        OpChecks.AssertClose(expected, losses, 1e-6, "row losses");
        Assert.Equal(losses.Sum() / 5, Op.CrossEntropy(logits, targets).Value, 5);
        for (int r = 0; r < 7; r++)
        {
            Assert.Equal(targets[r] >= 0 && logits.Row(r).ToArray().Max() == logits[r, targets[r]], hits[r]);
        }

        Assert.True(hits[4]);
    }

    [Fact]
    public void TheFirstOfEqualMaximaIsTaken()
    {
        float[] row = new float[77];
        row[40] = row[66] = row[70] = 2;
        Assert.Equal(40, Op.ArgMax(row));
        Assert.Equal(0, Op.ArgMax([-0f, 0f]));
        Assert.Equal(1, Op.ArgMax([float.NegativeInfinity, -5, -5]));
        Assert.Equal("ArgMax: the row of 2 numbers contains NaN.", Assert.Throws<ArgumentException>(() => Op.ArgMax([float.NaN, 1])).Message);
        Assert.Equal("ArgMax: the row is empty.", Assert.Throws<ArgumentException>(() => Op.ArgMax([])).Message);
    }

    [Fact]
    public void WrongTargetsAreNamed()
    {
        Tensor logits = new(new Shape(2, 3));
        string Message(params int[] targets) => Assert.Throws<ArgumentException>(() => Op.CrossEntropy(logits, targets)).Message;
        Assert.Equal("CrossEntropy: all 2 targets are -100 (ignored); the mean over no rows is not defined.", Message(-100, -100));
        Assert.Equal("CrossEntropy: target 3 of row 1 is neither a column of the logits [2, 3] nor -100 (ignored).", Message(0, 3));
        Assert.Equal("CrossEntropy: the logits [2, 3] must be [1, vocabulary], one row for each target.", Message(0));
        Assert.Contains(
            "give room for all, or none",
            Assert.Throws<ArgumentException>(() => Op.TokenLosses(logits, [0, 1], new float[1], default)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void ThreadsGiveTheSameBits()
    {
        Tensor logits = LinearTests.Random(new RandomSource(3), new Shape(19, 7001));
        int[] targets = Targets(new RandomSource(4), 19, 7001);
        Threads.GiveTheSameBits(() => Threads.ValueAndGradients(() => Op.CrossEntropy(logits, targets), logits));
    }

    [Fact]
    public void StepsAllocateNothing()
    {
        Tensor logits = LinearTests.Random(new RandomSource(5), new Shape(12, 7001));
        logits.RequiresGrad = true;
        int[] targets = Targets(new RandomSource(6), 12, 7001);
        SteadyState.AllocatesNothing(() => Op.CrossEntropy(logits, targets));
    }

    internal static int[] Targets(RandomSource random, int rows, int columns)
    {
        int[] targets = EmbeddingTests.Ids(random, rows, columns);
        for (int r = 1; r < rows; r++)
        {
            if (random.Next(4) == 0)
            {
                targets[r] = Op.IgnoredTarget;
            }
        }

        return targets;
    }
}
