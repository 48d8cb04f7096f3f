using System.Text.Json;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Tokenizers;

/// <summary>What <c>tokenizer_config.json</c> (or <c>special_tokens_map.json</c>) says about the begin and the end of texts.</summary>
/// <param name="Begin">How the begin token is written; null if it is not said.</param>
/// <param name="End">How the end token is written; null if it is not said.</param>
/// <param name="AddsBegin">Whether the begin token is put before texts; null if it is not said.</param>
/// <param name="AddsEnd">Whether the end token is put behind texts; null if it is not said.</param>
internal sealed record TokenizerConfig(string? Begin, string? End, bool? AddsBegin, bool? AddsEnd)
{
    private const long LongestFile = 64L << 20;
    private static readonly string[] UsualEnds = [ByteLevelBpe.EndOfText, "</s>", "<|end_of_text|>"];

    /// <summary>Reads what lies in the folder of a tokenizer's file.</summary>
    public static TokenizerConfig Beside(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        TokenizerConfig config = Read(Path.Combine(folder, "tokenizer_config.json"));
        TokenizerConfig map = Read(Path.Combine(folder, "special_tokens_map.json"));
        return config with { Begin = config.Begin ?? map.Begin, End = config.End ?? map.End };
    }

    /// <summary>The ids of the begin and the end token.</summary>
    public (int? Begin, int End) BeginAndEnd(TokenizerJsonFile.Vocabulary vocabulary, JsonField root)
    {
        int? Named(string? token, string role) => token is null ? null
            : vocabulary.Find(token) ?? throw root.Error($"has no token {CheckpointException.Quote(token)}, which tokenizer_config.json or special_tokens_map.json names as {role}");
        int end = Named(End, "eos_token") ?? UsualEnds.Select(vocabulary.Find).FirstOrDefault(id => id is not null)
            ?? throw root.Error($"does not say which token ends a text, and none is {string.Join(" or ", UsualEnds)}; put tokenizer_config.json with an eos_token beside it");
        return (Named(Begin, "bos_token"), end);
    }

    private static TokenizerConfig Read(string path) => !File.Exists(path)
        ? new TokenizerConfig(null, null, null, null)
        : JsonField.Read(path, LongestFile, root => new TokenizerConfig(
            Token(root["bos_token"]), Token(root["eos_token"]), OptionalFlag(root["add_bos_token"]), OptionalFlag(root["add_eos_token"])));

    // A text, or an object with the text as its content.
    private static string? Token(JsonField field) => field.Value.ValueKind == JsonValueKind.Object ? field["content"].Text() : field.OptionalText();

    private static bool? OptionalFlag(JsonField field) => field.IsNull ? null : field.Flag(absent: false);
}
