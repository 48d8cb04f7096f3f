using ElderManaged.Benchmarks.Onnx;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>Models that are matrix products and nothing else.</summary>
internal static class PeerProducts
{
    /// <summary>y0 = x0·W0, y1 = x0·W1, … with constant W of (k, n), which the peer packs when it loads them.</summary>
    public static byte[] WithConstants(IReadOnlyList<ReadOnlyMemory<float>> weights, int k, int n)
    {
        OnnxGraph graph = new();
        string x = graph.Input("x0", 0, k);
        for (int i = 0; i < weights.Count; i++)
        {
            Product(graph, x, graph.Constant(weights[i], k, n), i);
        }

        return graph.ToModel();
    }

    /// <summary>y_i = x_2i·x_2i+1, nothing constant, any sizes.</summary>
    public static byte[] OfInputs(int products)
    {
        OnnxGraph graph = new();
        for (int i = 0; i < products; i++)
        {
            Product(graph, graph.Input($"x{2 * i}", 0, 0), graph.Input($"x{(2 * i) + 1}", 0, 0), i);
        }

        return graph.ToModel();
    }

    private static void Product(OnnxGraph graph, string left, string right, int index)
    {
        string y = graph.Output($"y{index}", 0, 0);
        graph.Node("MatMul", [left, right], [y]);
    }
}
