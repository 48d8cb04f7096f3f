using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests.Elder;

/// <summary>Random frozen models, small enough to edit in a test, with weights large enough to be sure of something.</summary>
internal static class TinyModels
{
    public const int Vocabulary = 61;

    private static readonly Gpt2Config Gpt2Config = new()
    {
        VocabSize = Vocabulary, MaxPositions = 40, HiddenSize = 32, InnerSize = 128, LayerCount = 4, HeadCount = 4,
        TieWordEmbeddings = true, LayerNormEpsilon = 1e-5f,
    };

    private static readonly Lazy<TransformerModel> LazyGpt2 = new(() => Frozen(Gpt2Config));

    private static readonly LlamaConfig LlamaConfig = new()
    {
        VocabSize = Vocabulary, MaxPositions = 40, HiddenSize = 32, InnerSize = 48, LayerCount = 4, HeadCount = 4, KeyValueHeadCount = 2,
        TieWordEmbeddings = true, RmsNormEpsilon = 1e-5f,
    };

    private static readonly Lazy<TransformerModel> LazyLlama = new(() => Frozen(LlamaConfig));

    public static TransformerModel Gpt2 => LazyGpt2.Value;

    public static TransformerModel Llama => LazyLlama.Value;

    /// <summary>Another one with the weights of <see cref="Gpt2"/>, on a device.</summary>
    public static TransformerModel NewGpt2(Device device)
    {
        TransformerModel model = Frozen(Gpt2Config);
        model.MoveTo(device);
        return model;
    }

    /// <summary>Another one with the weights of <see cref="Llama"/>, on a device.</summary>
    public static TransformerModel NewLlama(Device device)
    {
        TransformerModel model = Frozen(LlamaConfig);
        model.MoveTo(device);
        return model;
    }

    public static int[] Prompt(RandomSource random, int length = 0) =>
        [.. Enumerable.Range(0, length > 0 ? length : 3 + random.Next(6)).Select(_ => random.Next(Vocabulary))];

    public static EncodedEdit Edit(RandomSource random, string fact) =>
        new(fact, Prompt(random), [.. Enumerable.Range(0, 1 + random.Next(3)).Select(_ => random.Next(Vocabulary))], []);

    public static EncodedEdit[] Edits(ulong seed, int count)
    {
        RandomSource random = new(seed);
        return [.. Enumerable.Range(0, count).Select(i => Edit(random, $"fact {i}"))];
    }

    private static TransformerModel Frozen(ModelConfig config)
    {
        TransformerModel fresh = TransformerModel.CreateTrainable(config, seed: 5);
        foreach (Parameter parameter in fresh.Parameters.Where(p => p.Value.Shape.Rank == 2))
        {
            float factor = parameter.Value.Shape[0] == Vocabulary ? 20 : 6;
            Op.Scale(parameter.Value, factor).Span.CopyTo(parameter.Value.Span);
        }

        using TemporaryFolder folder = new();
        fresh.Save(folder.Path);
        return TransformerModel.Load(folder.Path);
    }
}
