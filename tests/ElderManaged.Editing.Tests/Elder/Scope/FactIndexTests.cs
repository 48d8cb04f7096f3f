using ElderManaged.Editing.Elder;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests;

public sealed class FactIndexTests(ScopeFixture fixture) : IClassFixture<ScopeFixture>
{
    [Fact]
    public void RanksAsAPlainScanDoes()
    {
        RandomSource random = new(3);
        int half = fixture.Calibration.SketchWhitening.Mean.Components;
        float[][] sketches = [.. Enumerable.Range(0, 1000).Select(_ => fixture.Unit(random))];
        int[][] prompts = [.. new[] { "The capital of Orland is", "The mayor of Brevia is" }.Select(fixture.Tokenizer.Encode)];
        FactIndex index = FactIndex.Empty(fixture.Calibration);
        FactRecord[] records = [.. sketches.Select((sketch, i) => new FactRecord($"f{i}", fixture.Calibration, sketch, prompts[i % 2], []))];
        index = index.AddRange(records);
        for (int q = 0; q < 20; q++)
        {
            float[] query = fixture.Unit(random);
            int[] asked = prompts[q % 2];
            List<(int Number, FactRecord Record, double[] Features)> ranked = index.Rank(query, asked);
            Assert.Equal(fixture.Calibration.Options.Candidates, ranked.Count);
            double Cosine(int i) => sketches[i].Take(half).Zip(query, (a, b) => (double)a * b).Sum();
            double Score(int i) => Cosine(i) + records[i].Subject.FoundIn(fixture.Calibration.WordsOf(asked));
            double[] best = [.. Enumerable.Range(0, sketches.Length).Select(Score).OrderDescending().Take(ranked.Count)];
            for (int k = 0; k < ranked.Count; k++)
            {
                Assert.Equal(Cosine(ranked[k].Number), ranked[k].Features[0], 0.01); // 8 bits a number
                Assert.Equal(best[k], Score(ranked[k].Number), 0.02);
                Assert.Equal(q % 2, ranked[k].Number % 2); // the subject that is asked for comes first
            }
        }
    }

    [Theory]
    [InlineData(32)]
    [InlineData(128)]
    public void IntegerProductsAreExact(int length)
    {
        RandomSource random = new(4);
        for (int trial = 0; trial < 50; trial++)
        {
            sbyte[] a = [.. Enumerable.Range(0, length).Select(_ => (sbyte)(trial == 0 ? 127 : random.Next(255) - 127))];
            sbyte[] b = [.. Enumerable.Range(0, length).Select(_ => (sbyte)(trial == 0 ? -127 : random.Next(255) - 127))];
            Assert.Equal(a.Zip(b, (x, y) => x * y).Sum(), Sketch8.Dot(a, b));
        }
    }

    [Fact]
    public void AddingAndRemovingLeaveTheOldIndexAsItWas()
    {
        RandomSource random = new(7);
        int[] prompt = fixture.Tokenizer.Encode("The capital of Orland is");
        FactIndex index = FactIndex.Empty(fixture.Calibration);
        Assert.Equal(new FactMatch(false, -1, null, 0), index.Find(fixture.Unit(random), prompt));
        List<(FactIndex Index, int Count)> history = [];
        for (int i = 0; i < 300; i++)
        {
            index = index.Add($"f{i % 100}", fixture.Unit(random), fixture.Tokenizer.Encode($"The mayor of town {i} is"));
            Assert.Equal(i + 1, index.NextRecord);
            history.Add((index, index.Count));
        }

        FactIndex without = index.Remove("f7");
        Assert.Equal((297, 300), (without.Count, without.NextRecord));
        Assert.All([7, 107, 207], record => Assert.Null(without[record]));
        Assert.Equal("f7", index[107]!.FactId);
        Assert.Equal("f8", without[208]!.FactId);
        Assert.Same(without, without.Remove("f7"));
        Assert.Equal(300, without.Add("f7", fixture.Unit(random), prompt).NextRecord - 1);
        Assert.All(history, h => Assert.Equal(h.Count, h.Index.Count));
        Assert.Null(history[5].Index.Add("x", fixture.Unit(random), prompt)[5] is { FactId: "f5" } ? null : "changed");
        Assert.Equal("x", history[5].Index.Add("x", fixture.Unit(random), prompt)[6]!.FactId);
        Assert.Equal("f6", index[6]!.FactId);
    }

    [Fact]
    public void TheSameManyAtOnceAsOneByOne()
    {
        RandomSource random = new(8);
        FactRecord[] records = [.. Enumerable.Range(0, 333).Select(i =>
            new FactRecord($"f{i}", fixture.Calibration, fixture.Unit(random), fixture.Tokenizer.Encode($"Fact {i} is"), []))];
        FactIndex atOnce = FactIndex.Empty(fixture.Calibration).AddRange(records[..50]).AddRange(records[50..]);
        FactIndex single = records.Aggregate(FactIndex.Empty(fixture.Calibration), (index, record) => index.Add(record));
        Assert.Equal(single.Count, atOnce.Count);
        float[] query = fixture.Unit(random);
        Assert.Equal(single.Rank(query, [1, 2]).Select(r => r.Number), atOnce.Rank(query, [1, 2]).Select(r => r.Number));
    }

    [Fact]
    public void ALiterallyRecordedPromptIsInScopeAndTheNewestRecordWins()
    {
        RandomSource random = new(9);
        float[] sketch = fixture.Unit(random);
        int[] prompt = fixture.Tokenizer.Encode("The capital of Orland is");
        FactIndex index = FactIndex.Empty(fixture.Calibration).Add("old", sketch, prompt).Add("new", sketch, prompt);
        Assert.Equal(new FactMatch(true, 1, "new", 1), index.Find(sketch, prompt));
        Assert.Equal(new FactMatch(true, 0, "old", 1), index.Remove("new").Find(sketch, prompt));
    }

    [Fact]
    public void ASketchOfAnotherSizeIsRefused() =>
        Assert.Contains("'f'", Assert.Throws<ArgumentException>(() => FactIndex.Empty(fixture.Calibration).Add("f", [1f, 0f], [1])).Message);
}
