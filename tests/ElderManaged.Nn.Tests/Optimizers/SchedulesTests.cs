namespace ElderManaged.Nn.Tests;

public sealed class SchedulesTests
{
    [Theory]
    [InlineData(0, 0.25)]
    [InlineData(3, 1)]
    [InlineData(4, 1)]
    [InlineData(29, 0.55)] // half-way down
    [InlineData(54, 0.1)]
    [InlineData(1000, 0.1)]
    public void WarmupCosineRisesThenFalls(int step, double expected) =>
        Assert.Equal(expected, Schedules.WarmupCosine(step, 54, 4, 0.1f), 1e-6);

    [Fact]
    public void WarmupCosineNeverRisesAfterTheWarmUp()
    {
        for (int step = 10; step < 200; step++)
        {
            Assert.True(Schedules.WarmupCosine(step + 1, 200, 10, 0) < Schedules.WarmupCosine(step, 200, 10, 0));
        }
    }

    [Fact]
    public void WithoutWarmUpItStartsAtOne() => Assert.Equal(1, Schedules.WarmupCosine(0, 10, 0, 0));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(19, 1)]
    [InlineData(20, 0.5)]
    [InlineData(59, 0.25)]
    [InlineData(60, 0.125)]
    public void StepDecayIsAStaircase(int step, double expected) =>
        Assert.Equal(expected, Schedules.StepDecay(step, 20, 0.5f), 1e-7);
}
