using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;

namespace ElderManaged.Cli.Bench;

/// <summary>The sizes of known models, for measuring with random weights.</summary>
internal static class ModelShapes
{
    private static readonly Dictionary<string, ModelConfig> Known = new(StringComparer.Ordinal)
    {
        ["tiny"] = Gpt2(layers: 6, width: 64, heads: 4, positions: 256, vocabulary: 512),
        ["gpt2"] = Gpt2(layers: 12, width: 768, heads: 12),
        ["gpt2-medium"] = Gpt2(layers: 24, width: 1024, heads: 16),
        ["gpt2-large"] = Gpt2(layers: 36, width: 1280, heads: 20),
        ["gpt2-xl"] = Gpt2(layers: 48, width: 1600, heads: 25),
        ["smollm2-135m"] = Llama(layers: 30, width: 576, inner: 1536, heads: 9, kvHeads: 3, vocabulary: 49152, tied: true),
        ["tinyllama"] = Llama(layers: 22, width: 2048, inner: 5632, heads: 32, kvHeads: 4, vocabulary: 32000, tied: false),
        ["llama-2-7b"] = Llama(layers: 32, width: 4096, inner: 11008, heads: 32, kvHeads: 32, vocabulary: 32000, tied: false, positions: 4096),
    };

    public static IReadOnlyList<string> Names { get; } = [.. Known.Keys];

    public static ModelConfig Find(string name) => Known[Inputs.OneOf("--shape", name == "llama2-7b" ? "llama-2-7b" : name, Names)];

    private static Gpt2Config Gpt2(int layers, int width, int heads, int positions = 1024, int vocabulary = 50257) => new()
    {
        VocabSize = vocabulary, MaxPositions = positions, HiddenSize = width, InnerSize = 4 * width,
        LayerCount = layers, HeadCount = heads, TieWordEmbeddings = true,
    };

    private static LlamaConfig Llama(int layers, int width, int inner, int heads, int kvHeads, int vocabulary, bool tied, int positions = 2048) => new()
    {
        VocabSize = vocabulary, MaxPositions = positions, HiddenSize = width, InnerSize = inner, LayerCount = layers,
        HeadCount = heads, KeyValueHeadCount = kvHeads, RmsNormEpsilon = 1e-5f, TieWordEmbeddings = tied,
    };
}
