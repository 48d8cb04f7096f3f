using ElderManaged.Benchmarks.Sections;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Onnx;

/// <summary>A block of GPT-2 as an exporter would write it: x (B·T, C) → y (B·T, C), causal attention over B sequences of T tokens.</summary>
internal static class Gpt2BlockGraph
{
    // B = sequences, T = tokens of each, C = width, H = heads, D = C / H
    public static byte[] Build(IReadOnlyDictionary<string, Tensor> weights, int sequences, int tokens, int width, int heads)
    {
        OnnxGraph graph = new();
        (long b, long t, long c, long h) = (sequences, tokens, width, heads);
        long rows = b * t, d = c / h;
        string x = graph.Input("x", rows, c);

        string Vector(string name) => graph.Constant(weights[name].Memory, weights[name].Length);
        string Norm(string input, string name) => graph.Node(
            "LayerNormalization", [input, Vector($"{name}.weight"), Vector($"{name}.bias")], new OnnxAttribute("axis", -1L), new OnnxAttribute("epsilon", 1e-5f));

        // The parameters are (out, in); MatMul wants (in, out).
        string Linear(string input, string name)
        {
            Tensor transposed = Numbers.Transpose(weights[$"{name}.weight"]);
            string product = graph.Node("MatMul", [input, graph.Constant(transposed.Memory, transposed.Shape[0], transposed.Shape[1])]);
            return graph.Node("Add", [product, Vector($"{name}.bias")]);
        }

        string Heads(string part, params long[] order)
        {
            string split = graph.Node("Reshape", [part, graph.Constant(b, t, h, d)]);
            return graph.Node("Transpose", [split], new OnnxAttribute("perm", order));
        }

        const string Block = "transformer.h.0";
        string qkv = Linear(Norm(x, $"{Block}.ln_1"), $"{Block}.attn.c_attn");
        string[] parts = graph.Node("Split", [qkv, graph.Constant(c, c, c)], ["q", "k", "v"], new OnnxAttribute("axis", 1L));
        string scores = graph.Node("MatMul", [Heads(parts[0], 0, 2, 1, 3), Heads(parts[1], 0, 2, 3, 1)]); // (B, H, T, T)
        string scaled = graph.Node("Mul", [scores, graph.Constant(new[] { 1 / MathF.Sqrt(d) })]);
        string masked = graph.Node("Add", [scaled, graph.Constant(CausalMask(tokens), t, t)]);
        string shares = graph.Node("Softmax", [masked], new OnnxAttribute("axis", -1L));
        string mixed = graph.Node("MatMul", [shares, Heads(parts[2], 0, 2, 1, 3)]); // (B, H, T, D)
        string joined = graph.Node("Reshape", [graph.Node("Transpose", [mixed], new OnnxAttribute("perm", new long[] { 0, 2, 1, 3 })), graph.Constant(rows, c)]);
        string hidden = graph.Node("Add", [x, Linear(joined, $"{Block}.attn.c_proj")]);

        string inner = Linear(Norm(hidden, $"{Block}.ln_2"), $"{Block}.mlp.c_fc");
        string active = graph.Node("Gelu", [inner], new OnnxAttribute("approximate", "tanh"));
        graph.Node("Add", [hidden, Linear(active, $"{Block}.mlp.c_proj")], [graph.Output("y", rows, c)]);
        return graph.ToModel();
    }

    // 0 up to a token's own position, beyond it far below every score.
    private static float[] CausalMask(int tokens)
    {
        float[] mask = new float[tokens * tokens];
        for (int query = 0; query < tokens; query++)
        {
            mask.AsSpan((query * tokens) + query + 1, tokens - query - 1).Fill(-1e9f);
        }

        return mask;
    }
}
