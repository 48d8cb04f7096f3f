using ElderManaged.Editing.Elder;
using ElderManaged.Models;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class TrainingAttentionTests
{
    private const float Sure = 0.05f, Unsure = 0.2f; // −ln of .95 and of .82, where .9 is wanted

    private static readonly ElderOptions Options = ElderOptions.Default(TinyModels.Gpt2) with { RestIterations = 2, EarlyStopProbability = 0.9f };
    private static readonly TrainingItem[] Items = [.. TinyModels.Edits(1, 5).Select(e => new TrainingItem(PreparedEdit.Prepare(TinyModels.Gpt2, Options, e.Prompt, [1]), null!))];

    [Fact]
    public void WhatIsSureRestsAndComesBack()
    {
        TrainingAttention attention = new(Options);
        attention.Begin(Items[..3]);
        List<int[]> seen = [];
        for (int i = 0; i < 4; i++)
        {
            attention.Choose(i, _ => { });
            seen.Add([.. attention.Fresh.Select(item => Array.IndexOf(Items, item))]);
            attention.See(i, [.. attention.Fresh.Select(item => item == Items[1] ? Sure : Unsure)], [.. Enumerable.Range(0, attention.Fresh.Count)]);
        }

        Assert.Equal([[0, 1, 2], [0, 2], [0, 2], [0, 1, 2]], seen);
        Assert.Equal(3, attention.NewTargets);
    }

    [Fact]
    public void TheLeastProbableTokenOfAnItemCounts()
    {
        TrainingAttention attention = new(Options);
        attention.Begin(Items[..2]);
        attention.Choose(0, _ => { });
        attention.See(0, [Sure, Unsure, Sure, Sure], [0, 0, 1, 1]);
        attention.Choose(1, _ => { });
        Assert.Equal([Items[0]], attention.Fresh);
    }

    [Fact]
    public void AllAreAskedBeforeTheEnd()
    {
        TrainingAttention attention = new(Options);
        attention.Begin(Items[..2]);
        attention.Choose(0, _ => { });
        Assert.True(attention.NoneRests(0));
        attention.See(0, [Sure, Unsure], [0, 1]);
        attention.Choose(1, _ => { });
        attention.See(1, [Sure], [0]);
        Assert.False(attention.NoneRests(1));
        attention.Choose(2, _ => { });
        Assert.Equal(Items[..2], attention.Fresh);
        Assert.True(attention.NoneRests(2));
    }

    [Fact]
    public void WhenAllRestNoneDoes()
    {
        TrainingAttention attention = new(Options);
        attention.Begin(Items[..2]);
        attention.Choose(0, _ => { });
        attention.See(0, [Sure, Sure], [0, 1]);
        attention.Choose(1, _ => { });
        Assert.Equal(Items[..2], attention.Fresh);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatIsForgottenIsRehearsedAgain(bool untilSure)
    {
        TrainingAttention attention = new(Options with { RehearseUntilSure = untilSure });
        attention.Begin(Items[..1]);
        attention.Choose(0, earlier => earlier.AddRange(Items[1..3]));
        attention.See(0, [Unsure, Unsure, Sure], [0, 1, 2]);
        attention.Choose(1, earlier => earlier.Add(Items[4]));
        Assert.Equal(untilSure ? [Items[1], Items[4]] : [Items[4]], attention.Earlier);
        attention.Begin(Items[..1]);
        attention.Choose(0, _ => { });
        Assert.Empty(attention.Earlier);
    }

    [Fact]
    public void WhatAReviewFindsForgottenIsRehearsedNext()
    {
        const float Forgotten = 0.7f; // less than one half probable
        TrainingAttention attention = new(Options);
        attention.Begin(Items[..1]);
        attention.Choose(0, _ => { });
        attention.See(0, [Sure], [0]);
        Assert.True(attention.NoneIsForgotten(Items[1..3], [Unsure, Sure], [0, 1]));
        Assert.False(attention.NoneIsForgotten(Items[1..4], [Sure, Sure, Forgotten, Sure], [0, 1, 1, 2]));
        attention.Choose(1, _ => { });
        Assert.Equal([Items[2]], attention.Earlier);
    }

    [Fact]
    public void AnEditKeepsItsSentence()
    {
        TransformerModel model = TinyModels.Gpt2;
        ElderOptions options = Options with { LeadingSentences = [[1, 2], [3, 4, 5], [6]] };
        EncodedEdit[] edits = TinyModels.Edits(2, 20);
        int[][] first = [.. edits.Select(e => LeadingSentence.Before(model, options, e)!)];
        Assert.All(first.Zip(edits), pair => Assert.Equal(pair.Second.Prompt, pair.First[^pair.Second.Prompt.Length..]));
        Assert.Equal(3, first.Select(p => p[0]).Distinct().Count());
        Assert.Equal(first, edits.Select(e => LeadingSentence.Before(model, options, e with { FactId = "another" })!));
        Assert.Null(LeadingSentence.Before(model, Options, edits[0]));
        EncodedEdit longest = edits[0] with { Target = [.. Enumerable.Repeat(1, model.Config.MaxPositions - edits[0].Prompt.Length + 1)] };
        Assert.Null(LeadingSentence.Before(model, options, longest));
    }
}
