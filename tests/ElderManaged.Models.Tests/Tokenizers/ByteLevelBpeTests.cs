using ElderManaged.Models.Tokenizers;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Models.Tests.Tokenizers;

public sealed class ByteLevelBpeTests
{
    private static readonly ByteLevelBpe Small = BpeTrainer.Train(BpeTrainer.CountWords(
        ["the cat sat on the mat, the cat's hat", "don't shout: the cats hear 1234 things", "naïve façade, 数学, Ω ≠ ω"]), 300);

    [Fact]
    public void AnyUnicodeTextComesBack() =>
        Prop.ForAll(UnicodeTexts.Any(), text => Small.Decode(Small.Encode(text)) == text).QuickCheckThrowOnFailure();

    [Fact]
    public void SpecialTokensAreRecognisedOnlyWhenAllowed() =>
        Prop.ForAll(UnicodeTexts.Any(), text =>
        {
            string document = text + ByteLevelBpe.EndOfText + text;
            int[] plain = Small.Encode(document);
            int[] special = Small.Encode(document, allowSpecial: true);
            int[] expected = [.. Small.Encode(text), Small.EndOfTextId, .. Small.Encode(text)];
            return !plain.Contains(Small.EndOfTextId) && special.SequenceEqual(expected)
                && Small.Decode(plain) == document && Small.Decode(special) == document;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void ThreadsAgreeWithOneThread()
    {
        string[] texts = [.. Enumerable.Range(0, 2000).Select(i => $" word{i % 97} the cat{i} 数{i % 7}")];
        int[][] expected = [.. texts.Select(t => BpeTrainer.Train(BpeTrainer.CountWords(["the cat"]), 260).Encode(t)).Take(20)];
        ByteLevelBpe shared = BpeTrainer.Train(BpeTrainer.CountWords(["the cat"]), 260);
        int[][] actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, i => actual[i] = shared.Encode(texts[i]));
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(texts[i], shared.Decode(actual[i]));
            Assert.True(i >= expected.Length || expected[i].SequenceEqual(actual[i]));
        }
    }

    [Fact]
    public void LettersBeyondTheBasicPlaneAreLetters()
    {
        // 𝐀 is a letter, so "𝐀b" is one piece; 😀 is a sign, so "😀b" is two.
        ByteLevelBpe joined = BpeTrainer.Train([new("𝐀b", 10), new("😀b", 10)], 400);
        Assert.Single(joined.Encode("𝐀b"));
        Assert.Equal([.. joined.Encode("😀"), .. joined.Encode("b")], joined.Encode("😀b"));
    }

    [Fact]
    public void AVeryLongWordIsMerged()
    {
        string word = new('a', 200_000);
        ByteLevelBpe tokenizer = BpeTrainer.Train([new("aaaaaaaa", 2)], 259);
        Assert.Equal(50_000, tokenizer.Encode(word).Length);
        Assert.Equal(word, tokenizer.Decode(tokenizer.Encode(word)));
    }

    [Fact]
    public void TokenTextIsTheDecodedToken()
    {
        for (int id = 0; id < Small.VocabularySize; id++)
        {
            Assert.Equal(Small.Decode([id]), Small.TokenText(id));
        }

        Assert.Equal(ByteLevelBpe.EndOfText, Small.TokenText(Small.EndOfTextId));
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.TokenText(Small.VocabularySize));
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.Decode([-1]));
    }

    [Theory]
    [InlineData("vocab.json", "[1]", "JSON object")]
    [InlineData("vocab.json", "{\"a\": 0,\n \"b\" 1}", "line 2")]
    [InlineData("vocab.json", "{\"a\": \"0\"}", "whole number")]
    [InlineData("vocab.json", "{\"a\": 7}", "has id 7")]
    [InlineData("vocab.json", "{\"a\": 0, \"b\": 0}", "both have id 0")]
    [InlineData("vocab.json", "{\"a\": 0}", "<|endoftext|>")]
    [InlineData("merges.txt", "#version: 0.2\nh e\nthe\n", "line 3")]
    [InlineData("merges.txt", "#version: 0.2\nh qqq\n", "'qqq'")]
    public void AMalformedFileIsNamed(string file, string content, string expected)
    {
        string folder = Directory.CreateTempSubdirectory("bpe").FullName;
        Small.Save(folder);
        File.WriteAllText(Path.Combine(folder, file), content);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ByteLevelBpe.Load(folder));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        string folder = Directory.CreateTempSubdirectory("bpe").FullName;
        Small.Save(folder);
        File.Delete(Path.Combine(folder, "merges.txt"));
        FileNotFoundException error = Assert.Throws<FileNotFoundException>(() => ByteLevelBpe.Load(folder));
        Assert.Contains(Path.Combine(folder, "merges.txt"), error.Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }
}
