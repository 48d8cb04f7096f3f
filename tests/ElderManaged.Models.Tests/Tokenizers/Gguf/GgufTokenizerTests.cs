using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Tokenizers.Gguf;

public sealed class GgufTokenizerTests
{
    [Fact]
    public void BeginAndEndFollowTheFile()
    {
        ITokenizer llama = TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf(TokenizerFixtures.Read(TokenizerFixtures.PathOf("tok512.model"))));
        Assert.Equal((2, 1), (llama.EndOfTextId, llama.BeginOfTextId));
        Assert.Equal([1], llama.TextPrefix); // the usual rule of this kind
        Assert.Empty(llama.TextSuffix);
        ITokenizer gpt2 = TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf("gpt2.txt.gz", "gpt-2", specials: 0));
        Assert.Equal((50256, null), (gpt2.EndOfTextId, gpt2.BeginOfTextId));
        Assert.Empty(gpt2.TextPrefix);
    }

    [Fact]
    public void ThePreTokenizerDecides()
    {
        int[] Ids(string pre) => TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf("gpt2.txt.gz", pre, specials: 0)).Encode("It is 2024");
        Assert.Equal(["It", " is", " 2024"], Texts(Ids("gpt-2")));
        Assert.Equal(["It", " is", " ", "2", "0", "2", "4"], Texts(Ids("smollm")));
        Assert.Equal(["It", " is", " ", "202", "4"], Texts(Ids("llama-bpe")));
        Assert.Equal(["It", " is", " ", "202", "4"], Texts(Ids("default")));

        static string[] Texts(int[] ids)
        {
            string[] tokens = TokenizerFixtures.Vocabulary("gpt2.txt.gz").Tokens;
            return [.. ids.Select(id => tokens[id].Replace('Ġ', ' '))];
        }
    }

    [Theory]
    [InlineData("no model", "tokenizer.ggml.model")]
    [InlineData("bert", "'bert'")]
    [InlineData("no tokens", "tokenizer.ggml.tokens")]
    [InlineData("no scores", "tokenizer.ggml.scores")]
    [InlineData("few scores", "has 1 elements")]
    [InlineData("few types", "tokenizer.ggml.token_type")]
    [InlineData("type 9", "value 9")]
    [InlineData("end", "tokenizer.ggml.eos_token_id")]
    [InlineData("merge", "number 1")]
    [InlineData("pre", "'qwen2'")]
    public void WhatIsWrongIsNamed(string what, string expected)
    {
        GgufBuilder file = new GgufBuilder().Text("general.architecture", "llama");
        if (what is not "no model")
        {
            file.Text("tokenizer.ggml.model", what switch { "bert" => "bert", "merge" or "pre" or "end" => "gpt2", _ => "llama" });
        }

        string[] tokens = what == "end" || what == "merge" || what == "pre" ? ["a", "b", "ab"] : ["<unk>", "<s>", "</s>"];
        _ = what is "no tokens" ? file : file.Texts("tokenizer.ggml.tokens", tokens);
        _ = what is "no scores" ? file : file.Floats("tokenizer.ggml.scores", new float[what is "few scores" ? 1 : 3]);
        _ = what is "few types" ? file.Int32s("tokenizer.ggml.token_type", [1]) : file.Int32s("tokenizer.ggml.token_type", what is "type 9" ? [2, 3, 9] : [1, 1, 1]);
        _ = what is "end" ? file.UInt32("tokenizer.ggml.eos_token_id", 3) : file.UInt32("tokenizer.ggml.eos_token_id", 2);
        file.Texts("tokenizer.ggml.merges", [what == "merge" ? "ab" : "a b"]);
        _ = what is "pre" ? file.Text("tokenizer.ggml.pre", "qwen2") : file;
        CheckpointException error = Assert.Throws<CheckpointException>(() => TokenizerFixtures.LoadGguf(file.Build()));
        Assert.Contains("test.gguf", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }
}
