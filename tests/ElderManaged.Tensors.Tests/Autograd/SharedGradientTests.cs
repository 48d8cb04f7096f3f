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

    private static Tensor Leaf(params float[] values) => new(new Shape(values.Length), values) { RequiresGrad = true };
}
