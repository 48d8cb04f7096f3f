using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests;

public sealed class SketchCalibrationTests(ScopeFixture fixture) : IClassFixture<ScopeFixture>
{
    [Fact]
    public void RecordedPromptsAreFoundAndRandomTokensAreNot()
    {
        CalibrationFact[] edits = BuiltInCalibration.Facts(60, seed: 77);
        int[][] prompts = [.. edits.Select(f => fixture.Tokenizer.Encode(f.Phrasings[0]))];
        float[][] sketches = fixture.Sketcher.Sketch(prompts);
        FactIndex index = FactIndex.Empty(fixture.Calibration);
        for (int i = 0; i < edits.Length; i++)
        {
            index = index.Add(edits[i].Id, sketches[i], prompts[i], fixture.Tokenizer.Encode(" " + edits[i].Subject));
        }

        for (int i = 0; i < edits.Length; i++)
        {
            FactMatch match = index.Find(sketches[i], prompts[i]);
            Assert.True(match.InScope);
            Assert.Equal(edits[i].Id, match.FactId);
        }

        RandomSource random = new(3);
        int[][] noise = [.. Enumerable.Range(0, 100).Select(_ => Enumerable.Range(0, 12).Select(_ => random.Next(fixture.Tokenizer.VocabularySize)).ToArray())];
        float[][] noiseSketches = fixture.Sketcher.Sketch(noise);
        Assert.DoesNotContain(Enumerable.Range(0, 100), i => index.Find(noiseSketches[i], noise[i]).InScope);
    }

    [Fact]
    public void RephrasingsAreFoundAndFactsOfTheSameFormAreNot()
    {
        // Without training the model's sketches say little, but the words of the subject tell most facts apart.
        CalibrationFact[] facts = ScopeFixture.DifferentSubjects(240, seed: 78)[..80];
        int[][] prompts = [.. facts.Select(f => fixture.Tokenizer.Encode(f.Phrasings[0]))];
        int[][] rephrased = [.. facts.Select(f => fixture.Tokenizer.Encode(f.Phrasings[1]))];
        float[][] sketches = fixture.Sketcher.Sketch(prompts), rephrasedSketches = fixture.Sketcher.Sketch(rephrased);
        FactIndex index = FactIndex.Empty(fixture.Calibration).AddRange([.. Enumerable.Range(0, 40).Select(i =>
            new FactRecord(facts[i].Id, fixture.Calibration, sketches[i], prompts[i], fixture.Tokenizer.Encode(" " + facts[i].Subject)))]);
        int found = Enumerable.Range(0, 40).Count(i => index.Find(rephrasedSketches[i], rephrased[i]) is { InScope: true } match && match.FactId == facts[i].Id);
        int taken = Enumerable.Range(40, 40).Count(i => index.Find(rephrasedSketches[i], rephrased[i]).InScope);
        Assert.True(found >= 32, $"{found} of 40 rephrasings found");
        Assert.True(taken <= 2, $"{taken} of 40 unrecorded facts taken in");
    }

    [Fact]
    public void TheThresholdKeepsTheWishedRateOnTheCalibrationFacts()
    {
        Assert.InRange(fixture.Calibration.Quality.FalseScopeFacts, 0, 0.01);
        Assert.InRange(fixture.Calibration.Quality.FalseScopeTexts, 0, 0.01);
        Assert.InRange(fixture.Calibration.Quality.ScopeRecall, 0.8, 1);
    }

    [Fact]
    public void FittingTwiceGivesTheSameBits()
    {
        SketchCalibration again = SketchCalibration.Fit(fixture.Model, fixture.Tokenizer, fixture.Texts, fixture.Facts);
        using TemporaryFolder folder = new();
        fixture.Calibration.Save(folder.File("a"));
        again.Save(folder.File("b"));
        Assert.Equal(File.ReadAllBytes(folder.File("a")), File.ReadAllBytes(folder.File("b")));
    }

    [Fact]
    public void SavedAndLoadedItDecidesTheSame()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("calibration.safetensors");
        fixture.Calibration.Save(path);
        SketchCalibration loaded = SketchCalibration.Load(path, fixture.Model, fixture.Tokenizer);
        Assert.Equal(fixture.Calibration.Options, loaded.Options);
        Assert.Equal(fixture.Calibration.Quality, loaded.Quality);
        int[][] prompts = [.. fixture.Facts.Take(20).Select(f => fixture.Tokenizer.Encode(f.Phrasings[0]))];
        int[][] asked = [.. fixture.Facts.Take(20).Select(f => fixture.Tokenizer.Encode(f.Phrasings[2]))];
        FactMatch[] before = Matches(fixture.Calibration), after = Matches(loaded);
        Assert.Equal(before, after);
        Assert.Contains(before, m => m.InScope);

        FactMatch[] Matches(SketchCalibration calibration)
        {
            PromptSketcher sketcher = new(fixture.Model, calibration);
            float[][] sketches = sketcher.Sketch(prompts), askedSketches = sketcher.Sketch(asked);
            FactIndex index = FactIndex.Empty(calibration);
            for (int i = 0; i < prompts.Length; i++)
            {
                index = index.Add($"f{i}", sketches[i], prompts[i], i % 2 == 0 ? fixture.Tokenizer.Encode(" " + fixture.Facts[i].Subject) : []);
            }

            return [.. asked.Select((prompt, i) => index.Find(askedSketches[i], prompt))];
        }
    }

    [Fact]
    public void AForeignModelOrTokenizerIsRefused()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("calibration.safetensors");
        fixture.Calibration.Save(path);
        TransformerModel other = fixture.NewModel(2);
        Assert.Contains("another model of the same size", Assert.Throws<ArgumentException>(() => SketchCalibration.Load(path, other, fixture.Tokenizer)).Message);
        Assert.Contains("another model of the same size", Assert.Throws<ArgumentException>(() => new PromptSketcher(other, fixture.Calibration)).Message);
        ByteLevelBpe bytes = BpeTrainer.Train(BpeTrainer.CountWords(["other text"]), 300);
        Assert.Contains("another tokenizer", Assert.Throws<ArgumentException>(() => SketchCalibration.Load(path, fixture.Model, bytes)).Message);
        string wrong = folder.File("model.safetensors");
        new SafetensorsWriter().AddMetadata("format", "pt").Save(wrong);
        Assert.Contains("no sketch calibration", Assert.Throws<CheckpointException>(() => SketchCalibration.Load(wrong, fixture.Model, fixture.Tokenizer)).Message);
    }

    [Fact]
    public void APassThatRunsAnywayCanBeShared()
    {
        int[][] prompts = [.. fixture.Facts.Take(5).Select(f => fixture.Tokenizer.Encode("It rained. " + f.Phrasings[1]))];
        SequenceLayout layout = new([.. prompts.Select(p => p.Length)]);
        ForwardContext context = new(layout);
        (int meanLayer, int endingLayer) = fixture.Sketcher.ObservedLayers;
        Tensor mean = fixture.Model.Blocks(fixture.Model.Embed([.. prompts.SelectMany(p => p)], context), context, 0, meanLayer);
        Tensor ending = fixture.Model.Blocks(mean, context, meanLayer, endingLayer);
        float[][] shared = fixture.Sketcher.Sketch(mean, ending, layout, prompts);
        float[][] own = fixture.Sketcher.Sketch(prompts);
        for (int i = 0; i < own.Length; i++)
        {
            Assert.Equal(2, own[i].Zip(shared[i], (a, b) => a * b).Sum(), 1e-4); // two halves of length 1
            Assert.Equal(own[i], fixture.Sketcher.Sketch([prompts[i]])[0], (a, b) => Math.Abs(a - b) < 1e-4);
        }
    }

    [Fact]
    public void TooFewFactsAreRefused() => Assert.Contains(
        "BuiltInCalibration", Assert.Throws<ArgumentException>(() => SketchCalibration.Fit(fixture.Model, fixture.Tokenizer, fixture.Texts, [])).Message);

    [Fact]
    public void FactsWithoutSubjectsWillDo()
    {
        CalibrationFact[] bare = [.. fixture.Facts.Select(f => f with { Subject = "" })];
        SketchCalibration calibration = SketchCalibration.Fit(fixture.Model, fixture.Tokenizer, fixture.Texts, bare, new SketchOptions { Components = 16, Rounds = 2 });
        Assert.Equal(16 + calibration.Options.EndingComponents, calibration.Components);
        Assert.InRange(calibration.Quality.FalseScopeFacts, 0, 0.01);
        Assert.InRange(calibration.Quality.ScopeRecall, 0.5, 1);
    }

    [Fact]
    public void BuiltInTextsAndFactsAreVariedAndComplete()
    {
        string[] texts = BuiltInCalibration.Texts(500);
        Assert.Equal(500, texts.Distinct().Count());
        CalibrationFact[] facts = BuiltInCalibration.Facts(300);
        Assert.Equal(300, facts.Select(f => f.Id).Distinct().Count());
        Assert.Equal(300 * 5, facts.SelectMany(f => f.Phrasings).Distinct().Count());
        Assert.All(facts, f => Assert.All(f.Phrasings, p => Assert.Contains(f.Subject, p, StringComparison.Ordinal)));
        Assert.All(texts.Concat(facts.SelectMany(f => f.Phrasings)), text => Assert.DoesNotContain("{", text, StringComparison.Ordinal));
        Assert.Equal(texts, BuiltInCalibration.Texts(500));
        Assert.Contains(facts.GroupBy(f => f.Subject), group => group.Count() > 1);
    }
}
