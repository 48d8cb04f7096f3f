using System.Text.Json.Nodes;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>All tokenizers give the ids and texts of their originals, from every file format they come in.</summary>
public sealed class TokenizerGoldenTests
{
    private const string Gguf = "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf";
    private const string Llama2 = "data/tokenizers/llama2/tokenizer.model";
    private const int All = 655, Kept = 300;

    [SharedFact(Gguf, "goldens/tokenizers/smollm2.jsonl")]
    public void SmolLm2FromItsGgufGolden()
    {
        ITokenizer tokenizer = Tokenizer.Load(SharedData.PathOf(Gguf));
        Assert.Equal((49152, 2, 1), (tokenizer.VocabularySize, tokenizer.EndOfTextId, tokenizer.BeginOfTextId));
        Assert.Empty(tokenizer.TextPrefix);
        GoldenTexts.Equal(tokenizer, SharedData.PathOf("goldens/tokenizers/smollm2.jsonl"), All, special: true);
    }

    [SharedFact(Llama2, "goldens/tokenizers/llama2.jsonl")]
    public void Llama2FromTokenizerModelGolden()
    {
        ITokenizer tokenizer = Tokenizer.Load(SharedData.PathOf(Llama2));
        Assert.Equal((32000, 2, 1), (tokenizer.VocabularySize, tokenizer.EndOfTextId, tokenizer.BeginOfTextId));
        Assert.Equal([1], tokenizer.TextPrefix);
        GoldenTexts.Equal(tokenizer, SharedData.PathOf("goldens/tokenizers/llama2.jsonl"), All, special: false);
    }

    [SharedFact(Llama2, "goldens/tokenizers/llama2.jsonl")]
    public void Llama2AsTokenizerJsonGolden()
    {
        SentencePieceOptions pieces = TokenizerFixtures.Read(SharedData.PathOf(Llama2));
        ITokenizer tokenizer = TokenizerFixtures.LoadJson(TokenizerFixtures.Json(pieces, metaspace: false));
        Assert.Equal([1], tokenizer.TextPrefix);
        GoldenTexts.Equal(tokenizer, SharedData.PathOf("goldens/tokenizers/llama2.jsonl"), All, special: false);
        // The newer form puts no space before a text that begins with one.
        ITokenizer newer = TokenizerFixtures.LoadJson(TokenizerFixtures.Json(pieces, metaspace: true));
        GoldenTexts.Equal(newer, SharedData.PathOf("goldens/tokenizers/llama2.jsonl"), All, special: false, text => !text.StartsWith(' ') && !text.StartsWith('▁'));
        Assert.Equal(newer.Encode("Hello"), newer.Encode(" Hello"));
    }

    [SharedFact(Llama2, "goldens/tokenizers/llama2.jsonl")]
    public void Llama2AsGgufGolden() => GoldenTexts.Equal(
        TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf(TokenizerFixtures.Read(SharedData.PathOf(Llama2)))),
        SharedData.PathOf("goldens/tokenizers/llama2.jsonl"), All, special: false);

    [SharedFact("data/models/stories260k/tok512.model", "goldens/tokenizers/stories260k.jsonl")]
    public void Stories260KGolden() => GoldenTexts.Equal(
        Tokenizer.Load(SharedData.PathOf("data/models/stories260k/tok512.model")),
        SharedData.PathOf("goldens/tokenizers/stories260k.jsonl"), All, special: false);

    [Fact]
    public void KeptTextsOfStories260KGolden()
    {
        string golden = TokenizerFixtures.PathOf("stories260k.jsonl");
        string model = TokenizerFixtures.PathOf("tok512.model");
        GoldenTexts.Equal(Tokenizer.Load(model), golden, Kept, special: false);
        GoldenTexts.Equal(TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf(TokenizerFixtures.Read(model))), golden, Kept, special: false);
        // llama2.c keeps white space as it is, so only texts without extra white space agree.
        bool Plain(string text) => text.Trim(' ', '▁') == text && !text.Contains("  ", StringComparison.Ordinal);
        GoldenTexts.Equal(Tokenizer.Load(TokenizerFixtures.PathOf("tok512.bin")), golden, Kept, special: false, Plain);
        JsonObject json = TokenizerFixtures.Json(TokenizerFixtures.Read(model), metaspace: false);
        GoldenTexts.Equal(TokenizerFixtures.LoadJson(json), golden, Kept, special: false, Plain);
    }

    [Fact]
    public void KeptTextsOfGpt2Golden()
    {
        string golden = TokenizerFixtures.PathOf("gpt2.jsonl");
        (string[] tokens, string[] merges) = TokenizerFixtures.Vocabulary("gpt2.txt.gz");
        Assert.Equal(50257, tokens.Length);
        GoldenTexts.Equal(new ByteLevelBpe(tokens, [.. merges.Select(m => (m.Split(' ')[0], m.Split(' ')[1]))]), golden, Kept, special: true);
        GoldenTexts.Equal(TokenizerFixtures.LoadJson(TokenizerFixtures.Json(tokens, merges, TokenizerFixtures.Gpt2Splitter, [50256])), golden, Kept, special: true);
        GoldenTexts.Equal(TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf("gpt2.txt.gz", "gpt-2", specials: 0)), golden, Kept, special: true);
    }

    [Fact]
    public void KeptTextsOfSmolLm2Golden()
    {
        string golden = TokenizerFixtures.PathOf("smollm2.jsonl");
        (string[] tokens, string[] merges) = TokenizerFixtures.Vocabulary("smollm2.txt.gz");
        Assert.Equal(49152, tokens.Length);
        GoldenTexts.Equal(TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf("smollm2.txt.gz", "smollm", specials: 17)), golden, Kept, special: true);
        JsonObject json = TokenizerFixtures.Json(tokens, merges, TokenizerFixtures.SmolLmSplitter, Enumerable.Range(0, 17));
        ITokenizer tokenizer = TokenizerFixtures.LoadJson(json, """{"bos_token":"<|im_start|>","eos_token":{"content":"<|im_end|>"}}""");
        Assert.Equal((1, 2), (tokenizer.BeginOfTextId, tokenizer.EndOfTextId));
        GoldenTexts.Equal(tokenizer, golden, Kept, special: true);
    }
}
