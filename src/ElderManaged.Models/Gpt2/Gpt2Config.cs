using System.Text.Json;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Gpt2;

/// <summary>Configuration of a GPT-2 model (Radford et al. 2019) as in a Hugging Face <c>config.json</c>.</summary>
/// <remarks>
/// Field names in the file: <c>n_positions</c> is <see cref="ModelConfig.MaxPositions"/>, <c>n_embd</c> is
/// <see cref="ModelConfig.HiddenSize"/>, <c>n_inner</c> (4 · n_embd when absent) is <see cref="ModelConfig.InnerSize"/>,
/// <c>n_layer</c> and <c>n_head</c> are the counts. The only activation is the tanh form of GELU.
/// </remarks>
public sealed record Gpt2Config : ModelConfig
{
    /// <summary>Added to the variance in every LayerNorm.</summary>
    public float LayerNormEpsilon { get; init; } = 1e-5f;

    /// <inheritdoc/>
    public override string ModelType => "gpt2";

    /// <summary>Loads a GPT-2 <c>config.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">Not a GPT-2 configuration, or a field is missing, wrong or unsupported.</exception>
    public static new Gpt2Config Load(string path) =>
        ModelConfig.Load(path) as Gpt2Config ?? throw new CheckpointException($"{path} describes another architecture than GPT-2.");

    internal static Gpt2Config Parse(ConfigReader reader)
    {
        reader.Refuse("activation_function", value => value.ValueKind == JsonValueKind.String && (value.ValueEquals("gelu_new") || value.ValueEquals("gelu_pytorch_tanh")), "gelu_new or gelu_pytorch_tanh");
        reader.Refuse("scale_attn_weights", value => value.ValueKind == JsonValueKind.True, "true");
        reader.Refuse("scale_attn_by_inverse_layer_idx", value => value.ValueKind == JsonValueKind.False, "false");
        reader.Refuse("add_cross_attention", value => value.ValueKind == JsonValueKind.False, "false");

        int vocabSize = reader.Size("vocab_size");
        int hiddenSize = reader.Size("n_embd");
        int headCount = reader.Size("n_head");
        if (hiddenSize % headCount != 0)
        {
            throw reader.Error("n_embd", $"is {hiddenSize}, not a multiple of n_head = {headCount}");
        }

        int? inner = reader.OptionalSize("n_inner");
        if (hiddenSize > int.MaxValue / 4)
        {
            throw reader.Error("n_embd", $"is {hiddenSize}, too large");
        }

        return new Gpt2Config
        {
            VocabSize = vocabSize,
            MaxPositions = reader.Size("n_positions"),
            HiddenSize = hiddenSize,
            InnerSize = inner ?? 4 * hiddenSize,
            LayerCount = reader.Size("n_layer"),
            HeadCount = headCount,
            LayerNormEpsilon = reader.Positive("layer_norm_epsilon", 1e-5f),
            TieWordEmbeddings = reader.Flag("tie_word_embeddings", otherwise: true),
            BosTokenId = reader.Tokens("bos_token_id", vocabSize) is { Count: > 0 } bos ? bos[0] : null,
            EosTokenIds = reader.Tokens("eos_token_id", vocabSize),
        };
    }

    private protected override void WriteFields(Utf8JsonWriter json)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue("GPT2LMHeadModel");
        json.WriteEndArray();
        json.WriteString("model_type", ModelType);
        json.WriteNumber("n_positions", MaxPositions);
        json.WriteNumber("n_ctx", MaxPositions);
        json.WriteNumber("n_embd", HiddenSize);
        json.WriteNumber("n_layer", LayerCount);
        json.WriteNumber("n_head", HeadCount);
        json.WriteNumber("n_inner", InnerSize);
        json.WriteString("activation_function", "gelu_new");
        json.WriteNumber("layer_norm_epsilon", LayerNormEpsilon);
    }
}
