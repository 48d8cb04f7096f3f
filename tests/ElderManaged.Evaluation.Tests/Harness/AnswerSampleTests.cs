using ElderManaged.Editing;
using ElderManaged.Evaluation.Harness;

namespace ElderManaged.Evaluation.Tests.Harness;

public sealed class AnswerSampleTests
{
    [Theory]
    [InlineData(10, 20, 20, new[] { 2, 6, 10, 14, 18 }, new[] { 2, 6, 10, 14, 18 })]
    [InlineData(4, 3, 1, new[] { 0, 1, 2 }, new[] { 0 })]
    [InlineData(10, 2, 0, new[] { 0, 1 }, new int[0])]
    public void PicksEvenlyFromEditedAndHeldOutWordings(int count, int edited, int heldOut, int[] expectedEdited, int[] expectedHeldOut)
    {
        IReadOnlyList<AnswerSample> samples = AnswerSample.Pick(Outcome("base", edited, heldOut), Outcome("elder", edited, heldOut), count);
        Assert.Equal(expectedEdited.Select(i => $"edited {i}"), samples.Where(s => !s.Rephrased).Select(s => s.Prompt));
        Assert.Equal(expectedHeldOut.Select(i => $"held out {i}"), samples.Where(s => s.Rephrased).Select(s => s.Prompt));
        Assert.All(samples, s => Assert.Equal(($"target of {s.Prompt}", $"base on {s.Prompt}", $"elder on {s.Prompt}", true), (s.Wanted, s.Base, s.Edited, s.InScope)));
    }

    private static MethodOutcome Outcome(string name, int edited, int heldOut) => new(
        new MethodResult { Name = name, Reliability = default }, Answers(name, "edited", edited), Answers(name, "held out", heldOut), [], [], []);

    private static AnswerOutcome[] Answers(string name, string kind, int count) => [.. Enumerable.Range(0, count).Select(i => new AnswerOutcome(
        new EditRequest($"{kind} {i}", $"target of {kind} {i}"), true, true, $"{name} on {kind} {i}", new ScopeDecision(InScope: true)))];
}
