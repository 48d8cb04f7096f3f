using System.Text.Json.Nodes;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Models.Tests.Tokenizers.TokenizerJson;

public sealed class TokenizerJsonTests
{
    private static readonly ByteLevelBpe Small = BpeTrainer.Train(BpeTrainer.CountWords(["the cat sat on the mat, the cat's hat"]), 300);

    [Fact]
    public void AddedTokensAndTemplateAreRead()
    {
        JsonObject json = Valid();
        int n = Small.VocabularySize, end = Small.EndOfTextId;
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse($$"""{"id":{{n}},"content":"<|begin|>","special":true}"""));
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse($$"""{"id":{{n + 1}},"content":"cat","special":false}"""));
        json["post_processor"] = JsonNode.Parse(
            """{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<|endoftext|>","type_id":0}}],"special_tokens":{"<|begin|>":{"id":"<|begin|>","ids":[BEGIN],"tokens":["<|begin|>"]},"<|endoftext|>":{"id":"<|endoftext|>","ids":[END],"tokens":["<|endoftext|>"]}}}]}""".Replace("BEGIN", $"{n}", StringComparison.Ordinal).Replace("END", $"{end}", StringComparison.Ordinal));
        ITokenizer tokenizer = TokenizerFixtures.LoadJson(json, """{"bos_token":"<|begin|>"}""");
        Assert.Equal((n + 2, end, n), (tokenizer.VocabularySize, tokenizer.EndOfTextId, tokenizer.BeginOfTextId));
        Assert.Equal([n], tokenizer.TextPrefix);
        Assert.Equal([end], tokenizer.TextSuffix);
        // Ordinary added tokens are found in any text, special ones only where they are allowed.
        Assert.Equal([.. Small.Encode("the "), n + 1], tokenizer.Encode("the cat"));
        Assert.DoesNotContain(n, tokenizer.Encode("<|begin|>the"));
        Assert.Equal([n, .. Small.Encode("the"), end], tokenizer.EncodeWithSpecial("<|begin|>the<|endoftext|>"));
        Assert.Equal([n, .. Small.Encode("the"), end], tokenizer.EncodeDocument("the"));
        Assert.Equal("<|begin|>the cat", tokenizer.Decode(tokenizer.EncodeWithSpecial("<|begin|>the cat")));
    }

    [Fact]
    public void MergesAreTextsOrPairs()
    {
        JsonObject json = Valid();
        json["model"]!["merges"] = new JsonArray([.. Small.Merges.Select(m => (JsonNode?)new JsonArray(Small.Spellings[m.Left], Small.Spellings[m.Right]))]);
        Assert.Equal(Small.Encode("the cat's hat"), TokenizerFixtures.LoadJson(json).Encode("the cat's hat"));
    }

    [Fact]
    public void Llama3TakesWholeWordsFirst()
    {
        // "hxt" is a token here that no merges lead to.
        JsonObject json = Valid(TokenizerFixtures.Llama3Splitter);
        json["model"]!["vocab"]!["hxt"] = Small.VocabularySize;
        json["model"]!["ignore_merges"] = true;
        ITokenizer tokenizer = TokenizerFixtures.LoadJson(json);
        Assert.Equal([Small.VocabularySize], tokenizer.Encode("hxt"));
        json["model"]!["ignore_merges"] = false;
        Assert.Equal(3, TokenizerFixtures.LoadJson(json).Encode("hxt").Length);
    }

    [Fact]
    public void MetaspaceAndPrependDifferInTextsAfterSpecialTokens()
    {
        SentencePieceOptions pieces = TokenizerFixtures.Read(TokenizerFixtures.PathOf("tok512.model"));
        ITokenizer prepend = TokenizerFixtures.LoadJson(TokenizerFixtures.Json(pieces, metaspace: false));
        ITokenizer metaspace = TokenizerFixtures.LoadJson(TokenizerFixtures.Json(pieces, metaspace: true));
        Assert.Equal([1, .. prepend.Encode("was")], prepend.EncodeWithSpecial("<s>was"));
        Assert.Equal([1, .. prepend.EncodeContinuation("was")], metaspace.EncodeWithSpecial("<s>was"));
        Assert.Equal(prepend.Encode("was"), metaspace.Encode(" was"));
    }

    [Theory]
    [InlineData("model.type", "\"WordPiece\"", "'WordPiece'")]
    [InlineData("model.dropout", "0.1", "model.dropout")]
    [InlineData("model.continuing_subword_prefix", "\"##\"", "continuing_subword_prefix")]
    [InlineData("model.byte_fallback", "true", "byte_fallback")]
    [InlineData("model.merges", "[\"a b c\"]", "model.merges[0]")]
    [InlineData("model.merges", "[\"qqq b\"]", "'qqq'")]
    [InlineData("model.vocab", "{\"a\": 7}", "0 to")]
    [InlineData("model.vocab", "{\"a\": 0, \"b\": 0}", "same id 0")]
    [InlineData("model.vocab", "[]", "model.vocab")]
    [InlineData("model", "null", "'model' is missing")]
    [InlineData("normalizer", "{\"type\":\"NFC\"}", "NFC")]
    [InlineData("pre_tokenizer", "{\"type\":\"Whitespace\"}", "'Whitespace'")]
    [InlineData("pre_tokenizer", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "add_prefix_space")]
    [InlineData("pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"abc\"},\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}", "'abc'")]
    [InlineData("pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"split\":true}", "split")]
    [InlineData("pre_tokenizer", "null", "other kinds")]
    [InlineData("decoder", "{\"type\":\"WordPiece\"}", "WordPiece")]
    [InlineData("post_processor", "{\"type\":\"RobertaProcessing\"}", "'RobertaProcessing'")]
    [InlineData("added_tokens", "[{\"id\":1,\"content\":\"<|other|>\",\"lstrip\":true}]", "lstrip")]
    [InlineData("added_tokens", "[{\"id\":7,\"content\":\"<|endoftext|>\"}]", "the id 7, but the vocabulary")]
    public void WhatIsNotSupportedIsNamed(string place, string value, string expected)
    {
        JsonObject json = Valid();
        string[] path = place.Split('.');
        (path.Length == 1 ? json : json[path[0]]!.AsObject())[path[^1]] = JsonNode.Parse(value);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TokenizerFixtures.LoadJson(json));
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEndTokenMustBeKnown()
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TokenizerFixtures.LoadJson(Valid(), """{"eos_token":"<end>"}"""));
        Assert.Contains("'<end>'", error.Message, StringComparison.Ordinal);
        JsonObject json = Valid();
        json["added_tokens"] = new JsonArray();
        JsonObject vocabulary = json["model"]!["vocab"]!.AsObject();
        vocabulary.Remove(ByteLevelBpe.EndOfText);
        Assert.Contains("tokenizer_config.json", Assert.Throws<InvalidDataException>(() => TokenizerFixtures.LoadJson(json)).Message, StringComparison.Ordinal);
    }

    internal static JsonObject Valid(string splitter = TokenizerFixtures.Gpt2Splitter) => TokenizerFixtures.Json(
        [.. Small.Spellings], Small.Merges.Select(m => $"{Small.Spellings[m.Left]} {Small.Spellings[m.Right]}"), splitter, [Small.EndOfTextId]);
}
