using System.Globalization;
using ElderManaged.Editing;
using ElderManaged.Editing.Elder;

namespace ElderManaged.Evaluation.Harness;

/// <summary>The methods that stand side by side in a table, in its order.</summary>
public static class EditMethods
{
    private static readonly (string Name, string Label)[] Known =
    [
        ("base", "Base"), ("ft-l", "FT-L"), ("lora", "LoRA"), ("elder-paper", "ELDER (paper)"), ("elder", "ELDER (ours)"),
    ];

    /// <summary>The names: <c>base</c>, then every method that edits.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Known.Select(m => m.Name)];

    /// <summary>The methods that edit.</summary>
    public static IReadOnlyList<string> Editing { get; } = [.. Known.Select(m => m.Name).Skip(1)];

    /// <summary>The full name of a method that may be given in short: <c>paper</c> for <c>elder-paper</c>.</summary>
    /// <param name="name">As somebody wrote it.</param>
    public static string FullName(string name) => name == "paper" ? "elder-paper" : name;

    /// <summary>The name that people read.</summary>
    /// <param name="name">One of <see cref="All"/>; any other is its own label.</param>
    public static string Label(string name) => Known.FirstOrDefault(m => m.Name == name).Label ?? name;

    /// <summary>The options of a method that differ from its defaults, as JSON for <see cref="EditorFactory"/>.</summary>
    /// <param name="name">The method.</param>
    /// <param name="seed">Seed of everything random in it.</param>
    /// <param name="learningRate">Its step size; null for the method's own.</param>
    /// <param name="iterations">Its steps for a batch (the most, where it stops early); null for the method's own.</param>
    public static string? Options(string name, ulong seed, float? learningRate = null, int? iterations = null)
    {
        List<string> options = name == "ft-l" ? [] : [string.Create(CultureInfo.InvariantCulture, $"\"seed\":{seed}")]; // FT-L has nothing random
        if (learningRate is { } rate)
        {
            options.Add(string.Create(CultureInfo.InvariantCulture, $"\"learningRate\":{rate}"));
        }

        if (iterations is { } steps)
        {
            options.Add(string.Create(CultureInfo.InvariantCulture, $"\"{(name == "ft-l" ? "maxSteps" : "iterations")}\":{steps}"));
        }

        return options.Count == 0 ? null : $"{{{string.Join(',', options)}}}";
    }

    /// <summary>A fresh editor; for <c>base</c> the base model itself.</summary>
    /// <param name="name">One of <see cref="All"/>.</param>
    /// <param name="model">The base model.</param>
    /// <param name="seed">Seed of everything random in it.</param>
    /// <param name="calibration">How <c>elder</c> recognises facts; null for the model's own.</param>
    public static IModelEditor Create(string name, ElderModel model, ulong seed, SketchCalibration? calibration = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return name == "base" ? new BaseEditor(model.Transformer) : model.CreateEditor(name, Options(name, seed), calibration);
    }
}
