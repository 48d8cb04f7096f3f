using ElderManaged.Editing.Elder;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Editing.Tests;

public sealed class PromptWordsTests(ScopeFixture fixture) : IClassFixture<ScopeFixture>
{
    private readonly ByteLevelBpe tokenizer = fixture.Tokenizer;
    private readonly PromptWords words = new(fixture.Tokenizer);

    [Theory]
    [InlineData("The rain stopped. The capital of Orland is", " The capital of Orland is")]
    [InlineData("The capital of Orland is", "The capital of Orland is")]
    [InlineData("Q: Where was Ada born? A:", "Q: Where was Ada born? A:")]
    [InlineData("It was late. Q: Where was Ada born? A:", " Q: Where was Ada born? A:")]
    [InlineData("The dog ran. Where was Ada born? Answer:", " Where was Ada born? Answer:")]
    [InlineData("Did it rain on Monday? Where was Ada Bell born?", " Where was Ada Bell born?")]
    [InlineData("He met Dr. Ada Bell, who lives in the town of", "He met Dr. Ada Bell, who lives in the town of")]
    [InlineData("The pilot J. Bell lives in the town of", "The pilot J. Bell lives in the town of")]
    [InlineData("A cat costs 3.5 dollars in the shop of", "A cat costs 3.5 dollars in the shop of")]
    [InlineData("He said \"No!\" Then Ada Bell was born in", " Then Ada Bell was born in")]
    [InlineData("Which channel did Shake! show up on for the first time?", "Which channel did Shake! show up on for the first time?")]
    [InlineData("it was late. where was ada bell born?", " where was ada bell born?")]
    [InlineData("first line\nAda Bell was born in", "Ada Bell was born in")]
    [InlineData("", "")]
    public void LastSentenceKeepsTheQuestion(string text, string expected)
    {
        int[] ids = tokenizer.Encode(text);
        Assert.Equal(expected, tokenizer.Decode(ids.AsSpan(words.LastSentence(ids, 4))));
    }

    [Fact]
    public void WordsDoNotDependOnSpaceCaseOrTokens()
    {
        ulong[] expected = words.Words(tokenizer.Encode(" Zelmora Group"));
        Assert.Equal(2, expected.Length);
        Assert.Equal(expected, words.Words(tokenizer.Encode("Zelmora group")));
        Assert.Equal(expected, words.Words(tokenizer.Encode("\"zelmora\" (GROUP), zelmora!")));
        Assert.NotEqual(expected, words.Words(tokenizer.Encode(" Zelmoria Group")));
        // Bytes one by one, as another tokenization of the same text.
        int[] bytes = [.. "zelmora group".SelectMany(c => tokenizer.Encode(c.ToString()))];
        Assert.Equal(expected, words.Words(bytes));
    }

    [Fact]
    public void ScriptsWithoutSpacesGiveOneWordACharacter()
    {
        Assert.NotEqual(1, tokenizer.Encode("東").Length); // in parts of characters
        ulong[] both = words.Words(tokenizer.Encode("東"));
        Assert.NotEqual(both, words.Words(tokenizer.Encode("京")));
    }
}
