using ElderManaged.Editing.Elder;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class StopRuleTests
{
    // Two target tokens of probability .8 and .6.
    private static readonly float[] Losses = [.. new[] { 0.8, 0.6 }.Select(p => (float)-Math.Log(p))];

    [Theory]
    [InlineData(0.59f, true)]
    [InlineData(0.61f, false)]
    public void TheLeastProbableTokenDecides(float enough, bool reached) =>
        Assert.Equal(reached, new LeastProbabilityReached(enough).Reached(Losses, iteration: 0));

    [Theory]
    [InlineData(10, false)] // all .9 are wanted
    [InlineData(33, false)] // .9 − 23/32 · .4 = .6125, and the least probable one has .6
    [InlineData(35, true)]
    [InlineData(1000, true)] // never less than a half
    public void PatienceEnds(int iteration, bool reached)
    {
        LeastProbabilityReached rule = new(0.9f, patience: 10, iterations: 42);
        Assert.Equal(reached, rule.Reached(Losses, iteration));
        Assert.False(rule.Reached([.. Losses, (float)-Math.Log(0.1)], iteration)); // that is no majority
    }

    [Fact]
    public void ThePaperMakesAllIterations() => Assert.False(new AllIterations().Reached(Losses, iteration: 0));
}
