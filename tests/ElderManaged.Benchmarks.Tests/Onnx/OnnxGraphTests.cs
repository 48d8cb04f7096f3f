using ElderManaged.Benchmarks.Onnx;
using ElderManaged.Benchmarks.Sections;
using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Tests.Onnx;

/// <summary>The bytes that we write are a model that the peer reads and computes as it should.</summary>
public sealed class OnnxGraphTests
{
    [Fact]
    public void AProductWithConstantWeightsIsTheProduct()
    {
        const int Rows = 5, K = 7, N = 3;
        Tensor x = Numbers.Random(new Shape(Rows, K), 1), w = Numbers.Random(new Shape(K, N), 2), y = new(new Shape(Rows, N)), twice = new(new Shape(Rows, N));
        using OnnxPeer peer = new(PeerProducts.WithConstants([w.Memory, w.Memory], K, N), threads: 1);
        peer.BindInput("x0", x);
        peer.BindOutput("y0", y);
        peer.BindOutput("y1", twice);
        peer.Run();
        Numbers.RequireSame("product", Op.MatMul(x, w).Span, y.Span, 1e-6);
        Assert.Equal(y.Span.ToArray(), twice.Span.ToArray());
    }

    [Fact]
    public void InputsOfOtherSizesCanBeBoundAfterwards()
    {
        using OnnxPeer peer = new(PeerProducts.OfInputs(1), threads: 1);
        foreach (int rows in new[] { 2, 6 })
        {
            Tensor a = Numbers.Random(new Shape(rows, 4), 1), b = Numbers.Random(new Shape(4, 5), 2), c = new(new Shape(rows, 5));
            peer.Unbind();
            peer.BindInput("x0", a);
            peer.BindInput("x1", b);
            peer.BindOutput("y0", c);
            peer.Run();
            Numbers.RequireSame("product", Op.MatMul(a, b).Span, c.Span, 1e-6);
        }
    }

    [Fact]
    public void TheBlockGraphIsOurBlock()
    {
        const int Width = 24, Heads = 3, Tokens = 5, Sequences = 2;
        TransformerModel model = TransformerModel.CreateTrainable(
            new Gpt2Config { VocabSize = 8, MaxPositions = 16, HiddenSize = Width, InnerSize = 4 * Width, LayerCount = 1, HeadCount = Heads, TieWordEmbeddings = true },
            seed: 1);
        ulong seed = 1;
        foreach (Nn.Parameter parameter in model.Parameters)
        {
            Numbers.Fill(parameter.Value.Span, seed++, 0.3f);
        }

        Tensor x = Numbers.Random(new Shape(Sequences * Tokens, Width), 9), y = new(x.Shape);
        using OnnxPeer peer = new(Gpt2BlockGraph.Build(model.Parameters.ToDictionary(p => p.Name, p => p.Value), Sequences, Tokens, Width, Heads), threads: 1);
        peer.BindInput("x", x);
        peer.BindOutput("y", y);
        peer.Run();
        Numbers.RequireSame("block", model.Block(0, x, new ForwardContext(new SequenceLayout([Tokens, Tokens]))).Span, y.Span, 1e-5);
    }

    [Fact]
    public void DifferentResultsAreRefused()
    {
        Assert.Throws<InvalidOperationException>(() => Numbers.RequireSame("x", [1f, 2f], [1f, 2.1f], 1e-3));
        Assert.Throws<InvalidOperationException>(() => Numbers.RequireSame("x", [1f, float.NaN], [1f, 2f], 1e-3));
        Numbers.RequireSame("x", [1f, 2f], [1f, 2.001f], 1e-3);
    }
}
