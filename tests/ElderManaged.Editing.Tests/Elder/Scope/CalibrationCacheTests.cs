using ElderManaged.Editing.Elder;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests;

public sealed class CalibrationCacheTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ACalibrationIsMadeOnceForAModelAndFoundByTheNextProcess()
    {
        string cache = folder.File("calibrations");
        Shares first = new(), second = new();
        SketchCalibration fitted = NewModel().Calibrate(cache, first), found = NewModel().Calibrate(cache, second);

        Assert.Single(Directory.GetFiles(cache));
        Assert.Equal(first.Order(), first);
        Assert.Equal(1, first[^1], 1e-9);
        Assert.Empty(second);
        Assert.Equal(Bytes(fitted), Bytes(found));
        Assert.Equal(Bytes(fitted), Bytes(NewModel().Calibration)); // without a cache, too
    }

    [Fact]
    public void ADamagedFileIsMadeAnewAndAFolderThatCannotBeWrittenIsNone()
    {
        string cache = folder.File("calibrations");
        byte[] expected = Bytes(NewModel().Calibrate(cache));
        string file = Assert.Single(Directory.GetFiles(cache));
        byte[] whole = File.ReadAllBytes(file);
        File.WriteAllBytes(file, whole[..(whole.Length / 2)]);

        Assert.Equal(expected, Bytes(NewModel().Calibrate(cache)));
        Assert.Equal(whole, File.ReadAllBytes(file));
        Assert.Equal(expected, Bytes(NewModel().Calibrate(Path.Combine(file, "no folder"))));
    }

    [Fact]
    public void AStoppedCalibrationLeavesNothing()
    {
        ElderModel model = NewModel();
        Assert.Throws<OperationCanceledException>(() => model.Calibrate(folder.File("calibrations"), cancellationToken: new CancellationToken(canceled: true)));
        Assert.False(Directory.Exists(folder.File("calibrations")));
        Assert.NotNull(model.Calibration);
    }

    [Fact]
    public void FewerPromptsRunThroughTheModelButAllAreCounted()
    {
        ElderModel model = NewModel();
        string[] texts = BuiltInCalibration.Texts(200);
        CalibrationFact[] facts = BuiltInCalibration.Facts(60);
        SketchOptions few = new() { DecisionTexts = 50, DecisionFacts = 15, WhiteningPrompts = 90 };
        SketchCalibration all = SketchCalibration.Fit(model.Transformer, model.Tokenizer, texts, facts);
        SketchCalibration some = SketchCalibration.Fit(model.Transformer, model.Tokenizer, texts, facts, few);

        int[] tokens = [.. Enumerable.Range(0, model.Tokenizer.VocabularySize)];
        Assert.Equal(tokens.Select(all.TokenWeight), tokens.Select(some.TokenWeight));
        Assert.NotEqual(all.Quality, some.Quality);
    }

    private static ElderModel NewModel() => new(TinyModels.Gpt2.Transformer, TinyModels.Gpt2.Tokenizer, TinyModels.Gpt2.Folder);

    private byte[] Bytes(SketchCalibration calibration)
    {
        string file = folder.File("saved.safetensors");
        calibration.Save(file);
        return File.ReadAllBytes(file);
    }

    private sealed class Shares : List<double>, IProgress<double>
    {
        public void Report(double value) => Add(value);
    }
}
