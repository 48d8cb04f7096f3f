using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;

namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>Turns the metadata of a GGUF file into the model's configuration.</summary>
/// <remarks>What would change the computation and is not implemented is refused by its key.</remarks>
internal static class GgufConfig
{
    public static ModelConfig Read(GgufFile file)
    {
        string architecture = file.Metadata.Text("general.architecture")
            ?? throw file.Metadata.Error("general.architecture", "is missing");
        return architecture switch
        {
            "llama" => Llama(file),
            "gpt2" => Gpt2(file),
            _ => throw file.Metadata.Error("general.architecture", $"is {CheckpointException.Quote(architecture)}; supported are gpt2 and llama"),
        };
    }

    private static LlamaConfig Llama(GgufFile file)
    {
        GgufMetadata data = file.Metadata;
        if ((data.Integer("llama.expert_count") ?? 0) != 0)
        {
            throw data.Error("llama.expert_count", "is not 0; mixtures of experts are not supported");
        }

        if (data.Text("llama.rope.scaling.type") is { } scaling and not "none")
        {
            throw data.Error("llama.rope.scaling.type", $"is {CheckpointException.Quote(scaling)}, which is not supported; supported is none");
        }

        if (file.Entries.ContainsKey("rope_freqs.weight"))
        {
            throw new CheckpointException($"{file.Path} has the tensor 'rope_freqs.weight' (scaled rotary positions, as LLaMA 3.1 and later), which is not supported.");
        }

        int width = Size(data, "llama.embedding_length");
        int heads = Size(data, "llama.attention.head_count");
        int keyValueHeads = OptionalSize(data, "llama.attention.head_count_kv") ?? heads;
        if (heads % keyValueHeads != 0)
        {
            throw data.Error("llama.attention.head_count_kv", $"is {keyValueHeads}, not a divisor of llama.attention.head_count = {heads}");
        }

        int? headWidth = OptionalSize(data, "llama.attention.key_length");
        if (headWidth is null && width % heads != 0)
        {
            throw data.Error("llama.embedding_length", $"is {width}, not a multiple of llama.attention.head_count = {heads}");
        }

        int headSize = headWidth ?? width / heads;
        foreach (string key in (ReadOnlySpan<string>)["llama.attention.value_length", "llama.rope.dimension_count"])
        {
            if (OptionalSize(data, key) is int other && other != headSize)
            {
                throw data.Error(key, $"is {other}, which is not supported; supported is the width of a head, {headSize}");
            }
        }

        if (headSize % 2 != 0)
        {
            throw data.Error("llama.attention.key_length", $"makes heads {headSize} wide; rotary positions need an even width");
        }

        if ((long)headSize * heads > int.MaxValue)
        {
            throw data.Error("llama.attention.key_length", $"is {headSize}, too large for {heads} heads");
        }

        int vocabulary = Vocabulary(file);
        return new LlamaConfig
        {
            VocabSize = vocabulary,
            MaxPositions = Size(data, "llama.context_length"),
            HiddenSize = width,
            InnerSize = Size(data, "llama.feed_forward_length"),
            LayerCount = Layers(file, "llama.block_count"),
            HeadCount = heads,
            ExplicitHeadSize = (long)headSize * heads == width ? null : headSize,
            KeyValueHeadCount = keyValueHeads,
            RmsNormEpsilon = Positive(data, "llama.attention.layer_norm_rms_epsilon", null),
            RopeTheta = Positive(data, "llama.rope.freq_base", 10000f),
            TieWordEmbeddings = !file.Entries.ContainsKey("output.weight"),
            BosTokenId = Token(data, "tokenizer.ggml.bos_token_id", vocabulary),
            EosTokenIds = Ends(data, vocabulary),
        };
    }

    private static Gpt2Config Gpt2(GgufFile file)
    {
        GgufMetadata data = file.Metadata;
        int width = Size(data, "gpt2.embedding_length");
        int heads = Size(data, "gpt2.attention.head_count");
        if (width % heads != 0)
        {
            throw data.Error("gpt2.embedding_length", $"is {width}, not a multiple of gpt2.attention.head_count = {heads}");
        }

        int vocabulary = Vocabulary(file);
        return new Gpt2Config
        {
            VocabSize = vocabulary,
            MaxPositions = Size(data, "gpt2.context_length"),
            HiddenSize = width,
            InnerSize = Size(data, "gpt2.feed_forward_length"),
            LayerCount = Layers(file, "gpt2.block_count"),
            HeadCount = heads,
            LayerNormEpsilon = Positive(data, "gpt2.attention.layer_norm_epsilon", 1e-5f),
            TieWordEmbeddings = !file.Entries.ContainsKey("output.weight"),
            BosTokenId = Token(data, "tokenizer.ggml.bos_token_id", vocabulary),
            EosTokenIds = Ends(data, vocabulary),
        };
    }

    /// <summary>The rows of the embedding; converters may pad them, so the tokenizer's list can be shorter.</summary>
    private static int Vocabulary(GgufFile file)
    {
        TensorEntry embedding = file.Find("token_embd.weight");
        return embedding.Shape.Length == 2 && embedding.Shape[0] <= int.MaxValue
            ? (int)embedding.Shape[0]
            : throw new CheckpointException($"{file.Path}: tensor 'token_embd.weight' has the shape {CheckpointException.Describe(embedding.Shape)}, not [vocabulary, width].");
    }

    private static int Layers(GgufFile file, string key)
    {
        int layers = Size(file.Metadata, key);
        return layers <= file.Entries.Count
            ? layers
            : throw file.Metadata.Error(key, $"is {layers}, but the file has only {file.Entries.Count} tensors");
    }

    private static TokenIds Ends(GgufMetadata data, int vocabulary)
    {
        int?[] ids = [Token(data, "tokenizer.ggml.eos_token_id", vocabulary), Token(data, "tokenizer.ggml.eot_token_id", vocabulary)];
        int[] found = [.. ids.OfType<int>().Distinct()];
        return found.Length == 0 ? TokenIds.None : new TokenIds(found);
    }

    private static int? Token(GgufMetadata data, string key, int vocabulary)
    {
        long? id = data.Integer(key);
        return id is null or 0xFFFF_FFFF or -1 // "none" of some converters
            ? null
            : id >= 0 && id < vocabulary ? (int)id : throw data.Error(key, $"is {id}; token ids lie from 0 to {vocabulary - 1}");
    }

    private static int Size(GgufMetadata data, string key) => OptionalSize(data, key) ?? throw data.Error(key, "is missing");

    private static int? OptionalSize(GgufMetadata data, string key) => data.Integer(key) switch
    {
        null => null,
        long size and > 0 and <= int.MaxValue => (int)size,
        long other => throw data.Error(key, $"is {other}, not a whole number from 1 to {int.MaxValue}"),
    };

    private static float Positive(GgufMetadata data, string key, float? otherwise)
    {
        double number = data.Number(key) ?? otherwise ?? throw data.Error(key, "is missing");
        return (float)number > 0 && float.IsFinite((float)number) ? (float)number : throw data.Error(key, $"is {number}, not a positive number");
    }
}
