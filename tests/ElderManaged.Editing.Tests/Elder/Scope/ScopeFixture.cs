using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests;

/// <summary>A tiny random GPT-2 with a tokenizer learned from the built-in texts, and its calibration, made once.</summary>
public sealed class ScopeFixture
{
    public ScopeFixture()
    {
        Texts = BuiltInCalibration.Texts(300);
        Facts = DifferentSubjects(300, seed: 1);
        Tokenizer = BpeTrainer.Train(BpeTrainer.CountWords([.. Texts, .. Facts.SelectMany(f => f.Phrasings)]), 700);
        Model = NewModel(1);
        Calibration = SketchCalibration.Fit(Model, Tokenizer, Texts, Facts);
        Sketcher = new PromptSketcher(Model, Calibration);
    }

    public string[] Texts { get; }

    public CalibrationFact[] Facts { get; }

    public ByteLevelBpe Tokenizer { get; }

    public TransformerModel Model { get; }

    public SketchCalibration Calibration { get; }

    public PromptSketcher Sketcher { get; }

    public TransformerModel NewModel(ulong seed) => TransformerModel.CreateTrainable(
        new Gpt2Config
        {
            VocabSize = Tokenizer.VocabularySize, MaxPositions = 128, HiddenSize = 48, InnerSize = 96, LayerCount = 4, HeadCount = 4,
            TieWordEmbeddings = true,
        },
        seed);

    /// <summary>
    /// Facts of which no two are about the same subject: an untrained model cannot tell relations apart, only names.
    /// </summary>
    public static CalibrationFact[] DifferentSubjects(int count, ulong seed) =>
        [.. BuiltInCalibration.Facts(count, seed).GroupBy(f => f.Subject).Select(group => group.First())];

    public float[] Unit(RandomSource random)
    {
        float[] sketch = new float[Calibration.Components];
        random.FillGaussian(sketch, 1);
        float norm = MathF.Sqrt(sketch.Sum(x => x * x));
        return [.. sketch.Select(x => x / norm)];
    }
}
