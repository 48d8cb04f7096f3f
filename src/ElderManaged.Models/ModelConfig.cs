using System.Text;
using System.Text.Json;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Tensors.Storage;

namespace ElderManaged.Models;

/// <summary>The sizes and settings of a model, as a Hugging Face <c>config.json</c> states them. Immutable.</summary>
/// <remarks>
/// The properties carry one name for all architectures; the file keeps the architecture's own field names. Settings that
/// change the computation and are not implemented are refused by name when loading, never ignored.
/// </remarks>
public abstract record ModelConfig
{
    /// <summary>Number of token ids: rows of the embedding table.</summary>
    public required int VocabSize { get; init; }

    /// <summary>The longest sequence, in tokens.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width inside the feed-forward part of a block.</summary>
    public required int InnerSize { get; init; }

    /// <summary>Number of transformer blocks.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Number of attention (query) heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Whether the output layer shares the token embedding.</summary>
    public required bool TieWordEmbeddings { get; init; }

    /// <summary>The tokens that end a text; empty when the file names none.</summary>
    public TokenIds EosTokenIds { get; init; } = TokenIds.None;

    /// <summary>The token that begins a text, if the file names one.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Width of one attention head.</summary>
    public virtual int HeadSize => HiddenSize / HeadCount;

    /// <summary>The <c>model_type</c> of this architecture, for example <c>gpt2</c>.</summary>
    public abstract string ModelType { get; }

    /// <summary>Loads a <c>config.json</c> of any supported architecture; <c>model_type</c>, or else <c>architectures</c>, decides.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">The file is missing, is not JSON, or has a missing, wrong or unsupported field.</exception>
    public static ModelConfig Load(string path)
    {
        using ByteSource source = ByteSource.OpenFile(path);
        return Load(source);
    }

    internal static ModelConfig Load(ByteSource source)
    {
        using var reader = ConfigReader.Open(source);
        try
        {
            return Parse(reader);
        }
        catch (InvalidOperationException exception)
        {
            // Any text of the file may hold bytes that are no UTF-8, or an escaped half of a surrogate pair.
            throw new CheckpointException($"{source.Name} has a text that is not valid Unicode.", exception);
        }
    }

    private static ModelConfig Parse(ConfigReader reader)
    {
        string? type = reader.OptionalText("model_type");
        string? architecture = reader.FirstArchitecture();
        return (type, architecture) switch
        {
            ("gpt2", _) or (null, "GPT2LMHeadModel" or "GPT2Model") => Gpt2Config.Parse(reader),
            ("llama", _) or (null, "LlamaForCausalLM" or "LlamaModel") => LlamaConfig.Parse(reader),
            _ => throw reader.Error(
                type is null ? "architectures" : "model_type",
                $"is {CheckpointException.Quote(type ?? architecture ?? "missing")}; supported are gpt2 (GPT2LMHeadModel) and llama (LlamaForCausalLM)"),
        };
    }

    /// <summary>The configuration as JSON with the field names of Hugging Face.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            WriteFields(json);
            json.WriteNumber("vocab_size", VocabSize);
            json.WriteBoolean("tie_word_embeddings", TieWordEmbeddings);
            if (BosTokenId is int bos)
            {
                json.WriteNumber("bos_token_id", bos);
            }

            if (EosTokenIds.Count == 1)
            {
                json.WriteNumber("eos_token_id", EosTokenIds[0]);
            }
            else if (EosTokenIds.Count > 1)
            {
                json.WriteStartArray("eos_token_id");
                foreach (int id in EosTokenIds)
                {
                    json.WriteNumberValue(id);
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    /// <summary>Writes <see cref="ToJson"/> to a file, completely or not at all.</summary>
    /// <param name="path">The file to create or replace, usually <c>config.json</c> in the model's folder.</param>
    public void Save(string path) => AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(ToJson())));

    /// <summary>Writes the fields that the architectures name differently.</summary>
    private protected abstract void WriteFields(Utf8JsonWriter json);
}
