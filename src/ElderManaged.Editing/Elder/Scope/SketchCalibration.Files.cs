using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Editing.Elder;

public sealed partial class SketchCalibration
{
    private const string Format = "elder-sketch-calibration-2";

    /// <summary>Writes one safetensors file, completely or not at all; the settings are in its metadata.</summary>
    public void Save(string path)
    {
        KeyValuePair<ulong, float>[] frequencies = [.. wordFrequencies.OrderBy(pair => pair.Key)];
        SafetensorsWriter writer = new();
        writer.AddMetadata("format", Format)
            .AddMetadata("settings", JsonSerializer.Serialize(new Settings(Options, Layer, EndingLayer, Quality), SettingsJson.Default.Settings))
            .AddMetadata("tokenizer", words.Identity.ToString("x16", CultureInfo.InvariantCulture));
        writer.Add("token_frequencies", [tokenFrequencies.Length], tokenFrequencies);
        writer.AddInt64("words", [frequencies.Length], frequencies.Select(pair => unchecked((long)pair.Key)).ToArray());
        writer.Add("word_frequencies", [frequencies.Length], frequencies.Select(pair => pair.Value).ToArray());
        foreach ((string part, Whitening half) in new[] { ("mean", whitening.Mean), ("last", whitening.Last) })
        {
            writer.Add($"{part}.mean", [Width], half.Mean);
            writer.Add($"{part}.projection", [half.Components, Width], half.Projection);
        }

        writer.Add("fingerprint", [fingerprint.Length], fingerprint);
        double[] numbers = [.. Numbers(Scope.WithSubject, Scope.ThresholdWithSubject), .. Numbers(Scope.WithoutSubject, Scope.ThresholdWithoutSubject)];
        // Double precision keeps every decision the same; the format's integers carry the bits.
        writer.AddInt64("scope_bits", [2, numbers.Length / 2], numbers.Select(BitConverter.DoubleToInt64Bits).ToArray());
        writer.Save(path);
    }

    /// <summary>Reads a calibration and checks that it was made from this model and this tokenizer.</summary>
    /// <exception cref="CheckpointException">The file is missing, damaged, or no calibration.</exception>
    /// <exception cref="ArgumentException">It belongs to another model or another tokenizer.</exception>
    public static SketchCalibration Load(string path, TransformerModel model, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        string Metadata(string key) => file.Metadata.TryGetValue(key, out string? value)
            ? value
            : throw new CheckpointException($"{path}: the metadata lack '{key}'; this is no sketch calibration.");

        if (Metadata("format") != Format)
        {
            throw new CheckpointException($"{path}: this is no sketch calibration of the form {Format}.");
        }

        PromptWords words = new(tokenizer);
        if (Metadata("tokenizer") != words.Identity.ToString("x16", CultureInfo.InvariantCulture))
        {
            throw new ArgumentException($"{path}: this calibration was made with another tokenizer than the given one of {words.VocabularySize} tokens.");
        }

        Settings settings;
        try
        {
            settings = JsonSerializer.Deserialize(Metadata("settings"), SettingsJson.Default.Settings)
                ?? throw new CheckpointException($"{path}: the settings are empty; the file is damaged.");
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{path}: the settings are no valid JSON; the file is damaged.", e);
        }

        float[] frequencies = Floats(file, "token_frequencies", words.VocabularySize);
        long[] hashes = Integers(file, "words", null);
        float[] wordFrequencies = Floats(file, "word_frequencies", hashes.Length);
        Dictionary<ulong, float> table = [];
        for (int i = 0; i < hashes.Length; i++)
        {
            table[unchecked((ulong)hashes[i])] = wordFrequencies[i];
        }

        Whitening Half(string part)
        {
            float[] mean = Floats(file, $"{part}.mean", model.Width), projection = Floats(file, $"{part}.projection", null);
            return projection.Length > 0 && projection.Length % mean.Length == 0
                ? new Whitening(mean, projection)
                : throw new CheckpointException($"{path}: a projection of {projection.Length} numbers does not fit a mean of {mean.Length}; the file is damaged.");
        }

        double[] numbers = [.. Integers(file, "scope_bits", 2 * (ScopeModel.FeatureNames.Count + 2)).Select(BitConverter.Int64BitsToDouble)];
        int half = numbers.Length / 2;
        ScopeModel scope = new(
            new LogisticRegression(numbers[1], numbers.AsSpan(2, half - 2)), numbers[0],
            new LogisticRegression(numbers[half + 1], numbers.AsSpan(half + 2)), numbers[half]);
        SketchCalibration calibration = new(
            settings.Options, settings.Layer, settings.EndingLayer, words, frequencies, table, new SketchWhitening(Half("mean"), Half("last")), scope, settings.Quality,
            Floats(file, "fingerprint", null));
        calibration.Require(model);
        return calibration;
    }

    private static double[] Numbers(LogisticRegression model, double threshold) => [threshold, model.Intercept, .. model.Weights];

    private static float[] Floats(SafetensorsFile file, string name, int? expected)
    {
        float[] values = new float[Count(file, name, expected)];
        file.ReadFloat32(name, values);
        return values;
    }

    private static long[] Integers(SafetensorsFile file, string name, int? expected)
    {
        long[] values = new long[Count(file, name, expected)];
        file.ReadInt64(name, values);
        return values;
    }

    private static int Count(SafetensorsFile file, string name, int? expected)
    {
        if (!file.Entries.TryGetValue(name, out TensorEntry? entry))
        {
            throw new CheckpointException($"{file.Path}: the tensor '{name}' is missing; the file is damaged.");
        }

        return expected is null || entry.ElementCount == expected
            ? checked((int)entry.ElementCount)
            : throw new CheckpointException($"{file.Path}: the tensor '{name}' has {entry.ElementCount} numbers, {expected} are expected; the file is damaged.");
    }

    internal sealed record Settings(SketchOptions Options, int Layer, int EndingLayer, ScopeQuality Quality);

    [JsonSourceGenerationOptions(NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
    [JsonSerializable(typeof(Settings))]
    [JsonSerializable(typeof(SketchOptions))]
    internal sealed partial class SettingsJson : JsonSerializerContext;
}
