using ElderManaged.Models.Tokenizers;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Models.Tests.Tokenizers.Words;

public sealed class WordSplitterTests
{
    private static readonly WordSplitter[] All = [WordSplitter.Gpt2, WordSplitter.SmolLm, WordSplitter.Llama3, WordSplitter.LlamaCppDefault, WordSplitter.Digits(false)];

    [Fact]
    public void PiecesAreTheWholeTextAndCutNoCharacter() => Prop.ForAll(UnicodeTexts.Any(), text => All.All(splitter =>
    {
        string[] pieces = Split(splitter, text);
        return string.Concat(pieces) == text && pieces.All(p => p.Length > 0 && !char.IsLowSurrogate(p[0]));
    })).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("I'll pay 12345 dollars", "I|'ll| pay| |123|45| dollars")]
    [InlineData("I'LL don'T", "I|'LL| don|'T")]
    [InlineData("a.b(c)  d\n\n e", "a|.b|(c|)| | d|\n\n| e")]
    [InlineData("x  \n  y", "x|  \n| | y")]
    [InlineData("😀b 😀 𝐀𝐁 𝟘𝟙𝟚𝟛", "😀b| 😀| 𝐀𝐁| |𝟘𝟙𝟚|𝟛")]
    [InlineData("!!!\n\nok", "!!!\n\n|ok")]
    [InlineData("tail   ", "tail|   ")]
    public void Llama3CutsAsPublished(string text, string expected) => Assert.Equal(Cut(expected, text), Split(WordSplitter.Llama3, text));

    [Theory]
    [InlineData("I'll pay 12345 dollars", "I|'ll| pay| |1|2|3|4|5| dollars")]
    [InlineData("I'LL 𝟘𝟙", "I|'|LL| |𝟘|𝟙")]
    [InlineData("a  1", "a|  |1")]
    [InlineData("a  b", "a| | b")]
    public void SmolLmCutsDigitsFirst(string text, string expected) => Assert.Equal(Cut(expected, text), Split(WordSplitter.SmolLm, text));

    [Theory]
    [InlineData("hi, you're 12345", "hi|,| you|'|re| |123|45")]
    [InlineData("a+b 😀𐄀", "a|+|b| 😀|𐄀")]
    public void LlamaCppDefaultCutsPunctuationFirst(string text, string expected) => Assert.Equal(Cut(expected, text), Split(WordSplitter.LlamaCppDefault, text));

    [Fact]
    public void HalfASurrogatePairIsASign()
    {
        Assert.Equal(["a", "\uD83D", "b"], Split(WordSplitter.Gpt2, "a\uD83Db"));
        Assert.Equal(["😀", "\uDE00"], Split(WordSplitter.Gpt2, "😀\uDE00").SelectMany(p => p.Length == 3 ? [p[..2], p[2..]] : (string[])[p]));
    }

    private static string[] Split(WordSplitter splitter, string text)
    {
        List<(int Start, int Length)> pieces = [];
        splitter.Split(text, pieces);
        return [.. pieces.Select(p => text.Substring(p.Start, p.Length))];
    }

    private static string[] Cut(string expected, string text)
    {
        string[] pieces = expected.Split('|');
        Assert.Equal(text, string.Concat(pieces));
        return pieces;
    }
}
