using System.Text.Json;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Llama;

/// <summary>Configuration of a LLaMA model (Touvron et al. 2023) as in a Hugging Face <c>config.json</c>.</summary>
/// <remarks>
/// Field names in the file: <c>max_position_embeddings</c> is <see cref="ModelConfig.MaxPositions"/>,
/// <c>intermediate_size</c> is <see cref="ModelConfig.InnerSize"/>, <c>num_hidden_layers</c> and
/// <c>num_attention_heads</c> are the counts. Scaled rotary positions, biases and activations other than SiLU are refused.
/// </remarks>
public sealed record LlamaConfig : ModelConfig
{
    /// <summary>Number of key/value heads; each serves <c>HeadCount / KeyValueHeadCount</c> query heads.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Width of a head where it is not <c>HiddenSize / HeadCount</c> (<c>head_dim</c> in the file); null where it is.</summary>
    public int? ExplicitHeadSize { get; init; }

    /// <inheritdoc/>
    public override int HeadSize => ExplicitHeadSize ?? base.HeadSize;

    /// <summary>Added to the mean square in every RMSNorm.</summary>
    public required float RmsNormEpsilon { get; init; }

    /// <summary>Base of the rotary position angles.</summary>
    public float RopeTheta { get; init; } = 10000f;

    /// <inheritdoc/>
    public override string ModelType => "llama";

    /// <summary>Loads a LLaMA <c>config.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">Not a LLaMA configuration, or a field is missing, wrong or unsupported.</exception>
    public static new LlamaConfig Load(string path) =>
        ModelConfig.Load(path) as LlamaConfig ?? throw new CheckpointException($"{path} describes another architecture than LLaMA.");

    internal static LlamaConfig Parse(ConfigReader reader)
    {
        reader.Refuse("rope_scaling", _ => false, "null");
        reader.Refuse("hidden_act", value => value.ValueKind == JsonValueKind.String && value.ValueEquals("silu"), "silu");
        reader.Refuse("attention_bias", value => value.ValueKind == JsonValueKind.False, "false");
        reader.Refuse("mlp_bias", value => value.ValueKind == JsonValueKind.False, "false");

        // Newer files put the base and the kind of scaling together in one object.
        reader.RefuseInside("rope_parameters", "rope_type", value => value.ValueKind == JsonValueKind.String && value.ValueEquals("default"), "default");

        int vocabSize = reader.Size("vocab_size");
        int hiddenSize = reader.Size("hidden_size");
        int headCount = reader.Size("num_attention_heads");
        int keyValueHeadCount = reader.OptionalSize("num_key_value_heads") ?? headCount;
        int? headSize = reader.OptionalSize("head_dim");
        if (headSize is null && (hiddenSize % headCount != 0 || hiddenSize / headCount % 2 != 0))
        {
            throw reader.Error("hidden_size", $"is {hiddenSize}, not an even multiple of num_attention_heads = {headCount}");
        }

        headSize ??= hiddenSize / headCount;
        if (headSize % 2 != 0)
        {
            throw reader.Error("head_dim", $"is {headSize}; rotary positions need an even width");
        }

        if ((long)headSize * headCount > int.MaxValue)
        {
            throw reader.Error("head_dim", $"is {headSize}, too large for {headCount} heads");
        }

        if (headCount % keyValueHeadCount != 0)
        {
            throw reader.Error("num_key_value_heads", $"is {keyValueHeadCount}, not a divisor of num_attention_heads = {headCount}");
        }

        return new LlamaConfig
        {
            VocabSize = vocabSize,
            MaxPositions = reader.Size("max_position_embeddings"),
            HiddenSize = hiddenSize,
            InnerSize = reader.Size("intermediate_size"),
            LayerCount = reader.Size("num_hidden_layers"),
            HeadCount = headCount,
            ExplicitHeadSize = headSize * headCount == hiddenSize ? null : headSize,
            KeyValueHeadCount = keyValueHeadCount,
            RmsNormEpsilon = reader.Positive("rms_norm_eps"),
            RopeTheta = reader.PositiveInside("rope_parameters", "rope_theta") ?? reader.Positive("rope_theta", 10000f),
            TieWordEmbeddings = reader.Flag("tie_word_embeddings", otherwise: false),
            BosTokenId = reader.Tokens("bos_token_id", vocabSize) is { Count: > 0 } bos ? bos[0] : null,
            EosTokenIds = reader.Tokens("eos_token_id", vocabSize),
        };
    }

    private protected override void WriteFields(Utf8JsonWriter json)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue("LlamaForCausalLM");
        json.WriteEndArray();
        json.WriteString("model_type", ModelType);
        json.WriteNumber("max_position_embeddings", MaxPositions);
        json.WriteNumber("hidden_size", HiddenSize);
        json.WriteNumber("intermediate_size", InnerSize);
        json.WriteNumber("num_hidden_layers", LayerCount);
        json.WriteNumber("num_attention_heads", HeadCount);
        json.WriteNumber("num_key_value_heads", KeyValueHeadCount);
        json.WriteNumber("head_dim", HeadSize);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("rms_norm_eps", RmsNormEpsilon);
        json.WriteNumber("rope_theta", RopeTheta);
        json.WriteNull("rope_scaling");
    }
}
