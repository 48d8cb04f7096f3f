using ElderManaged.Evaluation.Metrics;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Evaluation.Tests.Metrics;

public class RougeTests
{
    /// <summary>
    /// Lin 2004, section 3.1: reference S1 "police killed the gunman"; S2 "police kill the gunman" has ROUGE-L 3/4,
    /// S3 "the gunman kill police" 2/4, and both have ROUGE-2 1/3.
    /// </summary>
    [Theory]
    [InlineData("police kill the gunman", 0.75)]
    [InlineData("the gunman kill police", 0.5)]
    public void TheExampleOfThePaper(string prediction, double expectedL)
    {
        const string reference = "Police killed the gunman.";
        Assert.Equal(expectedL, Rouge.L(prediction, reference).F, 12);
        Assert.Equal(1.0 / 3, Rouge.N(prediction, reference, 2).F, 12);
        Assert.Equal(0.75, Rouge.N(prediction, reference, 1).F, 12);
    }

    [Fact]
    public void RepeatedWordsCountOnceForEachInTheReference()
    {
        // "the" 3 times against 2 times: 2 in common; plus "cat".
        RougeScore score = Rouge.N("the the the cat", "the cat the mat sat", 1);
        Assert.Equal(3.0 / 4, score.Precision, 12);
        Assert.Equal(3.0 / 5, score.Recall, 12);
        Assert.Equal(2 * 0.75 * 0.6 / 1.35, score.F, 12);
        Assert.Equal(2.0 / 4, Rouge.L("the the the cat", "the cat the mat sat").Precision, 12);
        Assert.Equal(1.0 / 3, Rouge.N("the the the cat", "the cat the mat sat", 2).Precision, 12);
    }

    [Fact]
    public void TheMeanIsOverTheThreeScores() =>
        Assert.Equal((0.75 + (1.0 / 3) + 0.75) / 3, Rouge.MeanF("police kill the gunman", "police killed the gunman"), 12);

    [Fact]
    public void TextsWithoutWordsScoreNothing()
    {
        Assert.Equal(0, Rouge.MeanF("", ""));
        Assert.Equal(0, Rouge.MeanF("...", "a b"));
        Assert.Equal(0, Rouge.N("one", "one", 2).F);
    }

    [Fact]
    public void ScoresLieInRangeAreSymmetricAndPerfectForTheSameText()
    {
        Gen<string> words = Gen.Elements("a", "b", "c", "été", "東").ArrayOf().Select(list => string.Join(' ', list));
        Prop.ForAll(Arb.From(words), Arb.From(words), (x, y) =>
        {
            foreach (Func<string, string, RougeScore> rouge in new Func<string, string, RougeScore>[] { (p, r) => Rouge.N(p, r, 1), (p, r) => Rouge.N(p, r, 2), Rouge.L })
            {
                RougeScore score = rouge(x, y);
                Assert.InRange(score.F, 0, 1);
                Assert.Equal(score.Recall, rouge(y, x).Precision);
                Assert.True(Rouge.L(x, y).F <= Rouge.N(x, y, 1).F + 1e-12); // a common subsequence is a common bag of words
            }

            if (x.Length > 0)
            {
                Assert.Equal(1, Rouge.L(x, x).F);
                Assert.Equal(1, Rouge.N(x, x.ToUpperInvariant(), 1).F);
            }
        }).QuickCheckThrowOnFailure();
    }
}
