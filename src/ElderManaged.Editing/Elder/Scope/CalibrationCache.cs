using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Calibrations on built-in texts and facts, one file for each model. The name tells all that a calibration depends on: the
/// model's files, the constants, every text and every wording; so what is found under it is what fitting would give.
/// </summary>
internal static class CalibrationCache
{
    // To be raised when the same texts would give another calibration.
    private const string Version = "1";

    /// <summary>
    /// The prompts that run through the model: about a quarter of the built-in ones find as many rephrasings and defer as many
    /// other prompts, within what another choice of them changes.
    /// </summary>
    public static SketchOptions Options { get; } = new() { DecisionTexts = 160, DecisionFacts = 60, WhiteningPrompts = 240, BatchTokens = 512 };

    /// <summary>The calibration of the cache, or a new one that is put there.</summary>
    public static SketchCalibration GetOrFit(ElderModel model, string? folder, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        string[] texts = BuiltInCalibration.Texts();
        CalibrationFact[] facts = BuiltInCalibration.Facts();
        string? path = folder is null ? null : Path.Combine(folder, $"{KeyOf(model, texts, facts)}.safetensors");
        if (path is not null && File.Exists(path) && Read(model, path) is { } found)
        {
            return found;
        }

        SketchCalibration fitted = SketchCalibration.Fit(model.Transformer, model.Tokenizer, texts, facts, Options, progress, cancellationToken);
        if (path is not null)
        {
            Write(fitted, path);
        }

        return fitted;
    }

    private static string KeyOf(ElderModel model, string[] texts, CalibrationFact[] facts)
    {
        string[] parts =
        [
            Version, model.Hash, JsonSerializer.Serialize(Options, SketchCalibration.SettingsJson.Default.SketchOptions),
            .. texts, .. facts.SelectMany(f => f.Phrasings.Prepend(f.Subject)),
        ];
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..32];
    }

    // A damaged file is made anew.
    private static SketchCalibration? Read(ElderModel model, string path)
    {
        try
        {
            return SketchCalibration.Load(path, model.Transformer, model.Tokenizer);
        }
        catch (Exception exception) when (exception is CheckpointException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static void Write(SketchCalibration calibration, string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            calibration.Save(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Without a cache the next process fits again; nothing else is lost.
        }
    }
}
