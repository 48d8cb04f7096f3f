using ElderManaged.Editing.Elder;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class StopRuleTests
{
    // Two new rows and a rehearsed one over a vocabulary of three; probabilities .8, .6 and .1 of the right tokens.
    private static readonly int[] Targets = [0, 2, 1];
    private static readonly Tensor Logits = new(new Shape(3, 3), [.. new[] { 0.8, 0.1, 0.1, 0.2, 0.2, 0.6, 0.6, 0.1, 0.3 }.Select(p => (float)Math.Log(p))]);

    [Theory]
    [InlineData(0.59f, true)]
    [InlineData(0.61f, false)]
    public void TheLeastProbableNewTokenDecides(float enough, bool reached) =>
        Assert.Equal(reached, new LeastProbabilityReached(enough).Reached(Logits, Targets, newTargets: 2, iteration: 0));

    [Theory]
    [InlineData(10, false)] // all .9 are wanted
    [InlineData(33, false)] // .9 − 23/32 · .4 = .6125, and the least probable one has .6
    [InlineData(35, true)]
    [InlineData(1000, true)] // never less than a half
    public void PatienceEnds(int iteration, bool reached)
    {
        LeastProbabilityReached rule = new(0.9f, patience: 10, iterations: 42);
        Assert.Equal(reached, rule.Reached(Logits, Targets, newTargets: 2, iteration));
        Assert.False(rule.Reached(Logits, Targets, newTargets: 3, iteration)); // the third is no majority
    }

    [Fact]
    public void ThePaperMakesAllIterations() => Assert.False(new AllIterations().Reached(Logits, Targets, newTargets: 0, iteration: 0));
}
