namespace ElderManaged.Tensors.Tests;

public sealed class GradientCheckTests
{
    private static Tensor Gaussian(Shape shape, ulong seed, float scale = 1)
    {
        Tensor tensor = new(shape) { RequiresGrad = true };
        new RandomSource(seed).FillGaussian(tensor.Span, scale);
        return tensor;
    }

    /// <summary>x² with a backward that is wrong by a factor.</summary>
    private static Tensor Square(Tensor x, float factor)
    {
        Tensor y = Tape.NewTensor(x.Shape);
        for (int i = 0; i < x.Length; i++)
        {
            y[i] = x[i] * x[i];
        }

        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Square", y, (x, factor), static (s, y) =>
            {
                for (int i = 0; i < s.x.Length; i++)
                {
                    s.x.GradSink()[i] += 2 * s.factor * s.x[i] * y.Grad![i];
                }
            });
    }

    [Fact]
    public void RightGradientsPass()
    {
        Tensor x = Gaussian(new Shape(5, 19), 1);
        Tensor gain = Gaussian(new Shape(19), 2);
        Tensor bias = Gaussian(new Shape(19), 3);
        Assert.Equal(64 + 19 + 19, GradientCheck.Run(t => Op.LayerNorm(t[0], t[1], t[2], 1e-5f), [x, gain, bias], 4).Checked);
        GradientCheck.Run(t => Op.Gelu(t[0]), [x], 4);
        GradientCheck.Run(t => Op.SiluGate(t[0], t[1]), [x, Gaussian(x.Shape, 5)], 4);
        GradientCheck.Run(t => Op.Softmax(t[0]), [x], 4);
        GradientCheck.Run(t => Op.Rope(t[0], [3, 1, 4, 1, 500], 2, 10000), [Gaussian(new Shape(5, 4), 8)], 4);
        GradientCheck.Run(t => Op.Mean(Square(t[0], 1)), [Gaussian(new Shape(40), 6, 100)], 4);
    }

    [Theory]
    [InlineData(1.01f)]
    [InlineData(0.99f)]
    [InlineData(-1f)]
    [InlineData(0f)]
    [InlineData(float.NaN)]
    public void AWrongGradientIsCaught(float factor)
    {
        Tensor x = Gaussian(new Shape(7), 1);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => GradientCheck.Run(t => Square(t[0], factor), [x], 4));
        Assert.StartsWith("GradientCheck: input 0 [7], element ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheWorstElementIsNamed()
    {
        Tensor x = Gaussian(new Shape(3), 1);
        Tensor y = Gaussian(new Shape(3), 2);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => GradientCheck.Run(t => Op.Add(t[0], Detached(t[1], lost: 2)), [x, y], 4));
        Assert.StartsWith("GradientCheck: input 1 [3], element 2: recorded gradient 0, difference ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void InputsAndGradientsAreLeftAsTheyWere()
    {
        Tensor x = Gaussian(new Shape(9), 1);
        x.GradSink().Span.Fill(3);
        Tensor gradient = x.Grad!;
        float[] values = x.Span.ToArray();
        GradientCheck.Run(t => Op.Silu(t[0]), [x], 4);
        Assert.Equal(values, x.Span.ToArray());
        Assert.Same(gradient, x.Grad);
        Assert.All(gradient.Span.ToArray(), g => Assert.Equal(3, g));
    }

    [Fact]
    public void WithoutAnInputToCheckItSaysSo() => Assert.Equal(
        "GradientCheck: no input requires a gradient; set RequiresGrad on those to check.",
        Assert.Throws<ArgumentException>(() => GradientCheck.Run(t => t[0], [new Tensor(new Shape(2))], 1)).Message);

    /// <summary>The identity, whose backward forgets one element.</summary>
    private static Tensor Detached(Tensor x, int lost)
    {
        Tensor y = Tape.NewTensor(x.Shape);
        x.Span.CopyTo(y.Span);
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Detached", y, (x, lost), static (s, y) =>
            {
                for (int i = 0; i < s.x.Length; i++)
                {
                    s.x.GradSink()[i] += i == s.lost ? 0 : y.Grad![i];
                }
            });
    }
}
