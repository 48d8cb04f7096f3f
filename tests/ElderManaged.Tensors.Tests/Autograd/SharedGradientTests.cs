namespace ElderManaged.Tensors.Tests.Autograd;

/// <summary>Sums hand their gradient on without copying it; nobody may notice.</summary>
public sealed class SharedGradientTests
{
    [Fact]
    public void ABranchThatAddsLaterLeavesTheOtherAlone()
    {
        // y = (u + v) + 3u with u = 2x, v = 5x: dx = 2·(1 + 3) + 5·1
        Tensor x = Leaf(1, -2, 4);
        using Tape tape = Tape.Start();
        Tensor u = Op.Scale(x, 2);
        Tensor v = Op.Scale(x, 5);
        Tensor y = Op.Add(Op.Add(u, v), Op.Scale(u, 3));
        tape.Backward(y, [1, 10, 100]);
        Assert.Equal([13, 130, 1300], x.Grad!.Span.ToArray());
    }

    [Fact]
    public void ATensorAddedToItselfGetsBothContributions()
    {
        Tensor x = Leaf(1, 2);
        using Tape tape = Tape.Start();
        Tensor u = Op.Scale(x, 2);
        tape.Backward(Op.Add(u, u), [1, 10]);
        Assert.Equal([4, 40], x.Grad!.Span.ToArray());
    }

    [Fact]
    public void AChainOfResidualsGivesTheGradientsOfItsParts()
    {
        // h ← h + gelu(h), three times, against the product of the slopes
        Tensor x = Leaf(0.5f, -1.25f, 2);
        float[] slope = [1, 1, 1];
        Tensor h = x.Clone();
        for (int i = 0; i < 3; i++)
        {
            Tensor leaf = new(h.Shape, h.Span) { RequiresGrad = true };
            using Tape one = Tape.Start();
            Tensor y = Op.Add(leaf, Op.Gelu(leaf));
            one.Backward(y, [1, 1, 1]);
            slope = [.. slope.Zip(leaf.Grad!.Span.ToArray(), (a, b) => a * b)];
            h = y.Clone();
        }

        using Tape tape = Tape.Start();
        Tensor z = x;
        for (int i = 0; i < 3; i++)
        {
            z = Op.Add(z, Op.Gelu(z));
        }

        tape.Backward(z, [1, 1, 1]);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(slope[i], x.Grad!.Span[i], 1e-5);
        }
    }

    [Fact]
    public void MemoryOfSharedGradientsReturnsToThePoolOnce()
    {
        Tensor x = Leaf(new float[2000]);
        long Step()
        {
            using Tape tape = Tape.Start();
            Tensor u = Op.Scale(x, 2);
            Tensor y = Op.Add(Op.Reshape(Op.Add(u, Op.Gelu(u)), new Shape(20, 100)), Op.Reshape(u, new Shape(20, 100)));
            Tensor first = Op.Scale(y, 1), second = Op.Scale(y, 1);
            first.Span.Fill(1);
            second.Span.Fill(2);
            Assert.Equal(1, first.Span[7]); // two results never share one memory
            tape.Backward(Op.Sum(Op.Add(first, second)));
            return tape.PooledBytes;
        }

        Step();
        long steady = Step();
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(steady, Step());
        }
    }

    public static TheoryData<string> Ops => [.. Cases.Keys];

    private static readonly Dictionary<string, Func<Tensor, Tensor>> Cases = new()
    {
        ["Scale"] = u => Op.Scale(u, 3),
        ["Mul"] = u => Op.Mul(u, u),
        ["Gelu"] = Op.Gelu,
        ["Silu"] = Op.Silu,
        ["SiluGate"] = u => Op.SiluGate(u, u),
        ["AddBias"] = u => Op.AddBias(u, Tensor.Full(new Shape(50), 2)),
        ["LayerNorm"] = u => Op.LayerNorm(u, Tensor.Full(new Shape(50), 2), Tensor.Full(new Shape(50), 1), 1e-5f),
        ["RmsNorm"] = u => Op.RmsNorm(u, Tensor.Full(new Shape(50), 2), 1e-5f),
        ["Softmax"] = Op.Softmax,
        ["CrossEntropy"] = u => Op.CrossEntropy(u, [3, -100, 49, 0, 7, 8]),
        ["GatherRows, ascending"] = u => Op.GatherRows(u, [1, 4]),
        ["GatherRows, none"] = u => Op.GatherRows(u, []),
        ["GatherRows, repeated"] = u => Op.GatherRows(u, [5, 0, 5]),
        ["ScatterRows"] = u => Op.ScatterRows(u, [5, 0, 7, 1, 2, 3], 9),
        ["Linear"] = u => Op.Linear(u, Tensor.Full(new Shape(4, 50), 0.5f), null),
        ["LoraMixture"] = u => Op.LoraMixture(
            u, Tensor.Full(new Shape(2, 3, 50), 0.1f), Tensor.Full(new Shape(2, 3, 7), 0.2f), Tensor.Full(new Shape(1, 2), 1), new LoraAllocation([0, 1], 2, [0, 0, -1, 0, 0, 0]), 2),
    };

    /// <summary>One use sets the gradient of an intermediate result, a second adds to it: twice the gradient of a parameter.</summary>
    [Theory]
    [MemberData(nameof(Ops))]
    public void TheSecondContributionIsAddedToTheFirst(string name)
    {
        Tensor x = new(new Shape(6, 50)) { RequiresGrad = true };
        new RandomSource(1).FillGaussian(x.Span, 1);
        x.GradSink(); // zeros: the op must add
        float[] dy;
        using (Tape tape = Tape.Start())
        {
            Tensor y = Cases[name](x);
            dy = new float[y.Length];
            new RandomSource(2).FillGaussian(dy, 1);
            if (y.Length > 0)
            {
                tape.Backward(y, dy);
            }
        }

        float[] once = x.Grad!.Span.ToArray();
        foreach (int uses in new[] { 1, 2 })
        {
            x.ZeroGrad();
            using (Tape.Start(record: false))
            {
                for (int i = 0; i < 8; i++)
                {
                    Tape.NewTensor(x.Shape).Span.Fill(float.NaN); // what the pool hands out next
                }
            }

            using Tape tape = Tape.Start();
            Tensor u = Op.Scale(x, 1);
            Tensor y = Cases[name](u);
            if (uses == 2)
            {
                y = Op.Add(y, Cases[name](u));
            }

            tape.Backward(y, dy);
            for (int i = 0; i < once.Length; i++)
            {
                Assert.Equal(uses * once[i], x.Grad!.Span[i], 1e-5);
            }
        }
    }

    private static Tensor Leaf(params float[] values) => new(new Shape(values.Length), values) { RequiresGrad = true };
}
