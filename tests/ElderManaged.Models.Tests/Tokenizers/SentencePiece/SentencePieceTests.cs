using System.Text;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Tokenizers.SentencePiece;

public sealed class SentencePieceTests
{
    [Fact]
    public void ControlTokensAreTextUnlessAllowed()
    {
        ITokenizer tokenizer = Tokenizer.Load(TokenizerFixtures.PathOf("tok512.model"));
        Assert.DoesNotContain(1, tokenizer.Encode("<s>hello</s>"));
        // A space is put before each text, as llama.cpp does.
        Assert.Equal([1, .. tokenizer.Encode("hello"), 2, .. tokenizer.Encode("you")], tokenizer.EncodeWithSpecial("<s>hello</s>you"));
        Assert.Equal([1, .. tokenizer.Encode("hello")], tokenizer.EncodePrompt("hello"));
        Assert.Equal("hello you", tokenizer.Decode(tokenizer.EncodeWithSpecial("<s>hello</s>you")));
    }

    [Fact]
    public void EqualScoresMergeFromTheLeftAndLooseCharactersJoin()
    {
        // "xy" is a piece although neither x nor y is one.
        SentencePieceTokenizer tokenizer = Build(new ModelBuilder().Specials().Pieces(("a", -9), ("▁", -9), ("aa", -1), ("xy", -1)).Trainer(2, false).Normalizer(false, false));
        Assert.Equal(["aa", "a"], tokenizer.Encode("aaa").Select(tokenizer.TokenText));
        Assert.Equal(["xy", "a", " \u2047 ", "a"], tokenizer.Encode("xyaxxa").Select(tokenizer.TokenText));
    }

    [Fact]
    public void PiecesAcrossSpacesAreFound()
    {
        SentencePieceTokenizer tokenizer = Build(new ModelBuilder().Specials().Pieces(("a", -9), ("b", -9), ("▁", -9), ("a▁", -2), ("a▁b", -1), ("▁b", -3)).Trainer(2, false).Normalizer(false, false));
        Assert.Equal(["a b", "a"], tokenizer.Encode("a ba").Select(tokenizer.TokenText));
    }

    [Fact]
    public void UserDefinedPiecesAreNeverCut()
    {
        SentencePieceTokenizer tokenizer = Build(new ModelBuilder().Specials().Pieces(("a", -9), ("b", -9), ("ab", -1)).Piece("bb", 0, 4).Trainer(2, false).Normalizer(false, false));
        Assert.Equal(["a", "bb"], tokenizer.Encode("abb").Select(tokenizer.TokenText));
    }

    [Fact]
    public void RulesReplaceTheLongestSequence()
    {
        // Two rules: "A" -> "a", "AB" -> "x y". Units: the root, then children at offset ^ label.
        uint[] units = new uint[512];
        units[0] = 256u << 10 >> 0 & 0x7FFFFC00;                 // children of the root at 256 ^ label
        units[256 ^ 'A'] = 'A' | 0x100 | ((uint)(256 ^ 'A' ^ 128) << 10);
        int a = 256 ^ 'A' ^ (256 ^ 'A' ^ 128);                    // = 128: the leaf of "A"
        units[a] = 0x80000000 | 0;
        units[a ^ 'B'] = 'B' | 0x100 | ((uint)(a ^ 'B' ^ 16) << 10);
        units[16] = 0x80000000 | 2;
        byte[] rules = [.. BitConverter.GetBytes(units.Length * 4), .. units.SelectMany(BitConverter.GetBytes), .. "a\0x y\0"u8];
        SentencePieceTokenizer tokenizer = Build(new ModelBuilder().Specials().Pieces(("a", -9), ("▁", -9), ("x", -9), ("y", -9), ("C", -9)).Trainer(2, false).Normalizer(true, true, rules));
        Assert.Equal(["a", "x", " ", "y", "C", "a"], tokenizer.Encode(" AABCA  ").Skip(1).Select(tokenizer.TokenText));
    }

    [Fact]
    public void ExtraSpacesGoAndOneStaysInAContinuation()
    {
        SentencePieceTokenizer tokenizer = Build(new ModelBuilder().Specials().Pieces(("a", -9), ("▁", -9)).Trainer(2, false).Normalizer(true, true));
        Assert.Equal([4, 3, 4, 3], tokenizer.Encode("  a   a "));
        Assert.Empty(tokenizer.Encode("   "));
        Assert.Equal([4, 3], tokenizer.EncodeContinuation("  a "));
        Assert.Equal([3], tokenizer.EncodeContinuation("a"));
        Assert.Equal("a", tokenizer.Decode([4, 4, 3]));
    }

    [Theory]
    [InlineData("no tokens", "")]
    [InlineData("type word", "word")]
    [InlineData("suffix", "treat_whitespace_as_suffix")]
    [InlineData("escape", "escape_whitespaces")]
    [InlineData("unused", "unused")]
    [InlineData("twice", "pieces must differ")]
    [InlineData("NaN", "finite")]
    [InlineData("bytes", "no token <0x00>")]
    [InlineData("end", "</s>")]
    [InlineData("rules", "precompiled_charsmap")]
    [InlineData("text", ", byte ")]
    public void WhatIsNotSupportedIsNamed(string what, string expected)
    {
        ModelBuilder model = what == "no tokens" ? new ModelBuilder() : what == "end" ? new ModelBuilder().Piece("<unk>", 0, 2) : new ModelBuilder().Specials();
        _ = what switch
        {
            "type word" => model.Trainer(3, false),
            "suffix" => model.Trainer(2, false, suffixSpace: true),
            "escape" => model.Normalizer(true, true, escape: false),
            "unused" => model.Piece("x", 0, 5),
            "twice" => model.Pieces(("x", 0), ("x", 0)),
            "NaN" => model.Pieces(("x", float.NaN)),
            "bytes" => model.Trainer(2, byteFallback: true),
            "rules" => model.Normalizer(true, true, [9, 0, 0, 0, 1]),
            _ => model,
        };
        byte[] content = what == "text" ? Encoding.UTF8.GetBytes("this is no model") : model.Build();
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("x.model"), content);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(folder.File("x.model")));
        Assert.Contains("x.model", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private static SentencePieceTokenizer Build(ModelBuilder model) => new(SentencePieceFile.Read(model.Build(), "test.model", true, false));
}
