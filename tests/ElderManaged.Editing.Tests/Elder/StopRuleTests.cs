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
        Assert.Equal(reached, new LeastProbabilityReached(enough).Reached(Logits, Targets, newTargets: 2));

    [Fact]
    public void ThePaperMakesAllIterations() => Assert.False(new AllIterations().Reached(Logits, Targets, newTargets: 0));
}
