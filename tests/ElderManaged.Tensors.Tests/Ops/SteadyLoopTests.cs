using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class SteadyLoopTests
{
    /// <summary>Everything a transformer block does between its products, small enough for one thread.</summary>
    private static void Step(Tensor x, Tensor gain, Tensor bias, SequenceLayout layout, int[] columns, RandomSource random)
    {
        using Tape tape = Tape.Start();
        Tensor y = Op.LayerNorm(x, gain, bias, 1e-5f);
        y = Op.RmsNorm(Op.AddBias(y, bias), gain, 1e-5f);
        y = Op.Rope(Op.Rope(y, layout, 8, 10000), layout.Positions, 8, 10000, interleaved: true);
        y = Op.SiluGate(Op.Gelu(y), Op.Silu(Op.Dropout(y, 0.1f, random)));
        y = Op.Sub(Op.Mul(y, y), Op.Scale(Op.Add(y, x), 0.5f));
        y = Op.Log(Op.PickColumns(Op.Softmax(y), columns));
        tape.Backward(Op.Add(Op.Sum(y), Op.Mean(y)));
    }

    [Fact]
    public void NothingIsAllocatedInASteadyLoop()
    {
        RandomSource random = new(1);
        Tensor x = new(new Shape(7, 40)) { RequiresGrad = true };
        random.FillGaussian(x.Span, 1);
        Tensor gain = Tensor.Full(new Shape(40), 1);
        Tensor bias = new(new Shape(40));
        gain.RequiresGrad = true;
        bias.RequiresGrad = true;
        SequenceLayout layout = new([3, 4]);
        int[] columns = Enumerable.Range(0, 14).ToArray();
        AllocationCheck.AllocatesNothing(() => Step(x, gain, bias, layout, columns, random));
        Assert.Contains(x.Grad!.Span.ToArray(), g => g != 0);
    }
}
