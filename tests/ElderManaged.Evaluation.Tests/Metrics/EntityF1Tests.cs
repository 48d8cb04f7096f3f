using ElderManaged.Evaluation.Metrics;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Evaluation.Tests.Metrics;

public class EntityF1Tests
{
    [Theory]
    [InlineData("Peter Blackburn, EU", "Peter Blackburn", 1, 2, 1, 2.0 / 3)]
    [InlineData("Peter", "Peter Blackburn", 0, 1, 1, 0.0)]
    [InlineData("germany , GERMANY,, France.", "France, Germany", 2, 2, 2, 1.0)]
    [InlineData("", "", 0, 0, 0, 1.0)]
    [InlineData("x", "", 0, 1, 0, 0.0)]
    [InlineData("Rome, .", "Rome", 1, 1, 1, 1.0)]
    [InlineData(" , ", "x", 0, 0, 1, 0.0)]
    public void CountsByHand(string prediction, string expected, int correct, int predicted, int right, double f1)
    {
        EntityCounts counts = EntityF1.Count(prediction, expected);
        Assert.Equal(new EntityCounts(correct, predicted, right), counts);
        Assert.Equal(f1, counts.F1, 12);
    }

    [Fact]
    public void CountsAddUp()
    {
        EntityCounts sum = EntityF1.Count("a1, b1", "a1") + EntityF1.Count("c1", "c1, d1, e1");
        Assert.Equal(new EntityCounts(2, 3, 4), sum);
        Assert.Equal(2.0 / 3, sum.Precision, 12);
        Assert.Equal(0.5, sum.Recall, 12);
        Assert.Equal(4.0 / 7, sum.F1, 12);
    }

    [Fact]
    public void F1IsTheHarmonicMeanAndOrderDoesNotMatter()
    {
        Gen<string[]> lists = Gen.Elements("Rome", "Paris", "UN", "Ada L.").ArrayOf();
        Prop.ForAll(Arb.From(lists), Arb.From(lists), (x, y) =>
        {
            EntityCounts counts = EntityF1.Count(string.Join(',', x), string.Join(", ", y));
            Assert.Equal(counts, EntityF1.Count(string.Join(',', x.Reverse()), string.Join(", ", y.Reverse())));
            double sum = counts.Precision + counts.Recall;
            Assert.Equal(sum == 0 ? 0 : 2 * counts.Precision * counts.Recall / sum, counts.F1, 12);
            Assert.InRange(counts.F1, 0, 1);
        }).QuickCheckThrowOnFailure();
    }
}
