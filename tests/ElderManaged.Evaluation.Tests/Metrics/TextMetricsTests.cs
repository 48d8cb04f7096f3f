using ElderManaged.Evaluation.Metrics;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Evaluation.Tests.Metrics;

public class TextMetricsTests
{
    [Theory]
    [InlineData("The  Eiffel Tower!", "eiffel tower")]
    [InlineData("an apple, a pear and the rest", "apple pear and rest")]
    [InlineData("U.S.A.", "usa")]
    [InlineData("theatre", "theatre")]
    [InlineData("“Ça va” — l’été…", "ça va lété")]
    [InlineData("東京。", "東京")]
    [InlineData("$5 + 3", "5 3")]
    [InlineData("ÉCOLE\u00a0\tΣ", "école σ")]
    [InlineData(" ?! ", "")]
    public void Normalisation(string text, string expected) => Assert.Equal(expected, TextNormalizer.Normalize(text));

    [Fact]
    public void NormalisingTwiceChangesNothing() => Prop.ForAll<string>(text =>
    {
        string once = TextNormalizer.Normalize(text ?? "");
        Assert.Equal(once, TextNormalizer.Normalize(once));
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("the Beatles.", "Beatles", true)]
    [InlineData("Beatles songs", "Beatles", false)]
    [InlineData("", "The", false)]
    [InlineData("a", "The", false)]
    [InlineData("the", "The", true)]
    [InlineData("", "", true)]
    public void ExactMatches(string prediction, string answer, bool expected)
    {
        Assert.Equal(expected, ExactMatch.Matches(prediction, answer));
        Assert.Equal(expected, ExactMatch.Matches(answer, prediction));
        Assert.Equal(expected, ExactMatch.MatchesAny(prediction, ["something else", answer]));
    }

    [Fact]
    public void NothingMatchesNoAnswers() => Assert.False(ExactMatch.MatchesAny("x", []));

    [Fact]
    public void EveryTextMatchesItselfShouted() => Prop.ForAll<string>(raw =>
    {
        string text = new([.. (raw ?? "").Where(char.IsAscii)]);
        Assert.True(ExactMatch.Matches(text.ToUpperInvariant(), text));
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("Natalia sold 48/2 = 24 clips. 48+24 = 72\n#### 72", "72", "48")]
    [InlineData("It costs $1,234,567.50.", "1234567.5", "1234567.5")]
    [InlineData("1,000", "1000", "1000")]
    [InlineData("choose 3,4", "4", "3")]
    [InlineData("1,2345", "2345", "1")]
    [InlineData("the change is -5", "-5", "-5")]
    [InlineData("16-3", "3", "16")]
    [InlineData("(2+2)-1", "1", "2")]
    [InlineData("007", "7", "7")]
    [InlineData("about .50 each", "0.5", "0.5")]
    [InlineData("-0.0", "0", "0")]
    [InlineData("5. Next", "5", "5")]
    [InlineData("123456789012345678901234567890123", "123456789012345678901234567890123", "123456789012345678901234567890123")]
    [InlineData("none", null, null)]
    [InlineData("", null, null)]
    public void Numbers(string text, string? last, string? first)
    {
        Assert.Equal(last, NumberAnswer.Last(text));
        Assert.Equal(first, NumberAnswer.First(text));
    }

    [Fact]
    public void NumberSpellingsAreEqual()
    {
        Prop.ForAll<int, bool>((number, dot) =>
        {
            string spelled = number.ToString("N0") + (dot ? ".00" : "");
            Assert.Equal(number.ToString(), NumberAnswer.Last($"so the answer is {spelled} apples."));
            Assert.True(NumberAnswer.Matches($"x 1 y {spelled}", $"#### {number}"));
        }).QuickCheckThrowOnFailure();
        Assert.False(NumberAnswer.Matches("no number", "none"));
        Assert.False(NumberAnswer.Matches("18 1", "18"));
    }

    [Theory]
    [InlineData(" Yes, it is", "yes", true)]
    [InlineData("yesterday", "yes", false)]
    [InlineData("\n'True'", "true", true)]
    [InlineData("not positive", "positive", false)]
    [InlineData("", "yes", false)]
    [InlineData("", "", false)]
    public void FirstWords(string prediction, string label, bool expected) => Assert.Equal(expected, FirstAnswer.WordMatches(prediction, label));

    [Theory]
    [InlineData(" (B) because", 'B')]
    [InlineData("d.", 'D')]
    [InlineData("E", null)]
    [InlineData("Because A", null)]
    [InlineData("", null)]
    public void FirstLetters(string text, char? expected) => Assert.Equal(expected, FirstAnswer.Letter(text));

    [Fact]
    public void TheRangeOfLettersIsTheCallers()
    {
        Assert.Equal('E', FirstAnswer.Letter("E", 'E'));
        Assert.Null(FirstAnswer.Letter("B", 'A'));
        Assert.Throws<ArgumentOutOfRangeException>(() => FirstAnswer.Letter("a", 'é'));
    }
}
