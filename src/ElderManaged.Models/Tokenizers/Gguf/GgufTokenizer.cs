using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Checkpoints.Gguf;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// The tokenizer inside a GGUF file, as llama.cpp reads it: <c>tokenizer.ggml.model</c> is <c>gpt2</c> (byte-level, the
/// words cut as <c>tokenizer.ggml.pre</c> says) or <c>llama</c> (SentencePiece with scores).
/// </summary>
internal static class GgufTokenizer
{
    private const string Prefix = "tokenizer.ggml.";

    public static ITokenizer Read(GgufFile file)
    {
        GgufMetadata metadata = file.Metadata;
        string model = metadata.Text(Prefix + "model") ?? throw metadata.Error(Prefix + "model", "is missing; the file has no tokenizer");
        string[] tokens = metadata.Texts(Prefix + "tokens") ?? throw metadata.Error(Prefix + "tokens", "is missing");
        if (tokens.Length == 0)
        {
            throw metadata.Error(Prefix + "tokens", "is empty");
        }

        PieceKind[] kinds = Kinds(metadata, tokens.Length);
        return model switch
        {
            "gpt2" => ByteLevel(file.Path, metadata, tokens, kinds),
            "llama" => SentencePiece(file.Path, metadata, tokens, kinds),
            _ => throw metadata.Error(Prefix + "model", $"is {CheckpointException.Quote(model)}, which is not supported; supported: gpt2, llama"),
        };
    }

    private static ByteLevelBpe ByteLevel(string path, GgufMetadata metadata, string[] tokens, PieceKind[] kinds)
    {
        string pre = metadata.Text(Prefix + "pre") ?? "default";
        (WordSplitter words, bool wholeWords, bool addsBegin) = pre switch
        {
            "gpt-2" => (WordSplitter.Gpt2, false, false),
            "smollm" => (WordSplitter.SmolLm, false, false),
            "llama-bpe" or "llama3" or "llama-v3" => (WordSplitter.Llama3, true, true),
            "default" => (WordSplitter.LlamaCppDefault, false, false),
            _ => throw metadata.Error(Prefix + "pre", $"is {CheckpointException.Quote(pre)}, which is not supported; supported: gpt-2, smollm, llama-bpe, default"),
        };
        int? begin = Id(metadata, "bos_token_id", tokens.Length);
        int end = Id(metadata, "eos_token_id", tokens.Length) ?? throw metadata.Error(Prefix + "eos_token_id", "is missing");
        List<(string, string)> merges = [];
        foreach (string merge in metadata.Texts(Prefix + "merges") ?? throw metadata.Error(Prefix + "merges", "is missing"))
        {
            int space = merge.IndexOf(' ', Math.Min(1, merge.Length));
            merges.Add(space > 0 && space < merge.Length - 1
                ? (merge[..space], merge[(space + 1)..])
                : throw metadata.Error(Prefix + "merges", $"has {CheckpointException.Quote(merge)} as number {merges.Count + 1}, which is not two tokens with a space between"));
        }

        try
        {
            return new ByteLevelBpe(tokens, merges, _ => new ByteLevelOptions
            {
                Words = words, WholeWordsFirst = wholeWords, MayLackBytes = true, BeginOfTextId = begin, EndOfTextId = end,
                Added = [.. tokens.Select((text, id) => new AddedToken(text, id, kinds[id] is PieceKind.Control or PieceKind.Unknown))
                    .Where(token => kinds[token.Id] is PieceKind.Control or PieceKind.Unknown or PieceKind.UserDefined)],
                Prefix = begin is int b && (metadata.Flag(Prefix + "add_bos_token") ?? addsBegin) ? [b] : [],
                Suffix = metadata.Flag(Prefix + "add_eos_token") ?? false ? [end] : [],
            });
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private static SentencePieceTokenizer SentencePiece(string path, GgufMetadata metadata, string[] tokens, PieceKind[] kinds)
    {
        float[] scores = metadata.Numbers(Prefix + "scores") ?? throw metadata.Error(Prefix + "scores", "is missing");
        if (scores.Length != tokens.Length)
        {
            throw metadata.Error(Prefix + "scores", $"has {scores.Length} elements, but there are {tokens.Length} tokens");
        }

        int begin = Id(metadata, "bos_token_id", tokens.Length) ?? 1; // llama.cpp's defaults for this kind
        int end = Id(metadata, "eos_token_id", tokens.Length) ?? 2;
        Piece[] pieces = [.. tokens.Select((text, id) => new Piece(text, scores[id], kinds[id]))];
        return new SentencePieceTokenizer(new SentencePieceOptions
        {
            Source = path, Pieces = pieces, ByteFallback = Array.IndexOf(kinds, PieceKind.Byte) >= 0,
            DummySpace = metadata.Flag(Prefix + "add_space_prefix") ?? true ? DummySpace.Always : DummySpace.None,
            RemoveExtraSpaces = metadata.Flag(Prefix + "remove_extra_whitespaces") ?? false,
            Characters = metadata.Contains(Prefix + "precompiled_charsmap")
                ? throw metadata.Error(Prefix + "precompiled_charsmap", "is set, which is not supported with the model llama") : null,
            BeginOfTextId = begin, EndOfTextId = end,
            Prefix = metadata.Flag(Prefix + "add_bos_token") ?? true ? [begin] : [],
            Suffix = metadata.Flag(Prefix + "add_eos_token") ?? false ? [end] : [],
        });
    }

    private static PieceKind[] Kinds(GgufMetadata metadata, int count)
    {
        long[]? kinds = metadata.Integers(Prefix + "token_type");
        if (kinds is null)
        {
            return [.. Enumerable.Repeat(PieceKind.Normal, count)];
        }

        if (kinds.Length != count)
        {
            throw metadata.Error(Prefix + "token_type", $"has {kinds.Length} elements, but there are {count} tokens");
        }

        return Array.ConvertAll(kinds, kind => kind is >= 1 and <= 6
            ? (PieceKind)kind
            : throw metadata.Error(Prefix + "token_type", $"has the value {kind}; kinds are 1 to 6"));
    }

    private static int? Id(GgufMetadata metadata, string key, int count)
    {
        long? id = metadata.Integer(Prefix + key);
        return id is null ? null : id >= 0 && id < count ? (int)id : throw metadata.Error(Prefix + key, $"is {id}, but there are {count} tokens");
    }
}
