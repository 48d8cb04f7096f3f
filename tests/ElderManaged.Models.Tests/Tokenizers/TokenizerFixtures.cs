using System.IO.Compression;
using System.Text.Json.Nodes;
using ElderManaged.Models.Checkpoints.Gguf;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>Vocabularies that are kept beside the tests, and the files in which models ship such vocabularies.</summary>
internal static class TokenizerFixtures
{
    public const string Gpt2Splitter = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";

    public const string SmolLmSplitter =
        """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]}""";

    public const string Llama3Splitter =
        """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}""";

    public static string Folder { get; } =
        Path.Combine(SharedData.RequireRepository(), "tests", "ElderManaged.Models.Tests", "Tokenizers", "Fixtures");

    public static string PathOf(string file) => Path.Combine(Folder, file);

    /// <summary>The tokens in order of their ids, and the merges as "a b".</summary>
    public static (string[] Tokens, string[] Merges) Vocabulary(string file)
    {
        using GZipStream unpacked = new(File.OpenRead(PathOf(file)), CompressionMode.Decompress);
        using StreamReader reader = new(unpacked);
        string[] first = reader.ReadLine()!.Split(' ');
        string[] merges = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] last = first.Contains(ByteLevelBpe.EndOfText) ? [] : [ByteLevelBpe.EndOfText];
        return ([.. first, .. merges.Select(m => m.Replace(" ", "", StringComparison.Ordinal)), .. last], merges);
    }

    /// <summary>GPT-2 or SmolLM2 as a GGUF file.</summary>
    public static byte[] Gguf(string file, string pre, int specials)
    {
        (string[] tokens, string[] merges) = Vocabulary(file);
        return new GgufBuilder().Text("general.architecture", "llama")
            .Text("tokenizer.ggml.model", "gpt2").Text("tokenizer.ggml.pre", pre)
            .Texts("tokenizer.ggml.tokens", tokens).Texts("tokenizer.ggml.merges", merges)
            .Int32s("tokenizer.ggml.token_type", tokens.Select((token, id) => id < specials || token == ByteLevelBpe.EndOfText ? 3 : 1))
            .UInt32("tokenizer.ggml.eos_token_id", (uint)Array.IndexOf(tokens, ByteLevelBpe.EndOfText)).Build();
    }

    /// <summary>A SentencePiece vocabulary as a GGUF file.</summary>
    public static byte[] Gguf(SentencePieceOptions pieces) => new GgufBuilder().Text("general.architecture", "llama")
        .Text("tokenizer.ggml.model", "llama").Texts("tokenizer.ggml.tokens", pieces.Pieces.Select(p => p.Text))
        .Floats("tokenizer.ggml.scores", pieces.Pieces.Select(p => p.Score))
        .Int32s("tokenizer.ggml.token_type", pieces.Pieces.Select(p => (int)p.Kind))
        .UInt32("tokenizer.ggml.bos_token_id", 1).UInt32("tokenizer.ggml.eos_token_id", 2)
        .Flag("tokenizer.ggml.remove_extra_whitespaces", pieces.RemoveExtraSpaces).Build();

    /// <summary>A byte-level vocabulary as a <c>tokenizer.json</c>.</summary>
    public static JsonObject Json(string[] tokens, IEnumerable<string> merges, string splitter, IEnumerable<int> special)
    {
        HashSet<int> specials = [.. special];
        return new JsonObject
        {
            ["version"] = "1.0", ["truncation"] = null, ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. specials.Order().Select(id => Added(id, tokens[id], special: true))]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = JsonNode.Parse(splitter),
            ["post_processor"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true}"""),
            ["decoder"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["continuing_subword_prefix"] = "", ["end_of_word_suffix"] = "",
                ["fuse_unk"] = false, ["byte_fallback"] = false,
                ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
                ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode?)m)]),
            },
        };
    }

    /// <summary>
    /// A SentencePiece vocabulary as the <c>tokenizer.json</c> of LLaMA-2, whose merges are all cuts of all pieces into two
    /// pieces, in the order of the scores.
    /// </summary>
    /// <param name="pieces">The vocabulary.</param>
    /// <param name="metaspace">The newer form: spaces are written by the pre-tokenizer, and merges are pairs.</param>
    public static JsonObject Json(SentencePieceOptions pieces, bool metaspace)
    {
        Dictionary<string, int> ids = pieces.Pieces.Select((p, id) => (p.Text, id)).ToDictionary();
        var merges = from piece in pieces.Pieces
                     where piece.Kind == PieceKind.Normal
                     orderby piece.Score descending
                     from cut in Enumerable.Range(1, Math.Max(0, piece.Text.Length - 1))
                     where ids.ContainsKey(piece.Text[..cut]) && ids.ContainsKey(piece.Text[cut..])
                     select (Left: piece.Text[..cut], Right: piece.Text[cut..]);
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. Enumerable.Range(0, 3).Select(id => Added(id, pieces.Pieces[id].Text, special: true))]),
            ["normalizer"] = metaspace ? null : JsonNode.Parse("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"""),
            ["pre_tokenizer"] = metaspace ? JsonNode.Parse("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""") : null,
            ["post_processor"] = JsonNode.Parse("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}"""),
            ["decoder"] = JsonNode.Parse("""{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["unk_token"] = "<unk>", ["fuse_unk"] = true, ["byte_fallback"] = true, ["ignore_merges"] = false,
                ["vocab"] = new JsonObject(pieces.Pieces.Select((p, id) => KeyValuePair.Create(p.Text, (JsonNode?)id))),
                ["merges"] = new JsonArray([.. merges.Select(m => metaspace ? new JsonArray(m.Left, m.Right) : (JsonNode?)$"{m.Left} {m.Right}")]),
            },
        };
    }

    public static SentencePieceOptions Read(string path) => SentencePieceFile.Read(File.ReadAllBytes(path), path, addsBegin: true, addsEnd: false);

    public static ITokenizer LoadJson(JsonNode json, string? config = null)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder.File("tokenizer.json"), json.ToJsonString());
        if (config is not null)
        {
            File.WriteAllText(folder.File("tokenizer_config.json"), config);
        }

        return Tokenizer.Load(folder.Path);
    }

    public static ITokenizer LoadGguf(byte[] file)
    {
        using GgufFile gguf = GgufFile.Read("test.gguf", file);
        return GgufTokenizer.Read(gguf);
    }

    private static JsonObject Added(int id, string content, bool special) => new()
    {
        ["id"] = id, ["content"] = content, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = special,
    };
}
