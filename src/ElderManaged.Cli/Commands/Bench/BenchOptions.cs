using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ElderManaged.Cli.Bench;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary>What the measuring commands share.</summary>
internal static class BenchOptions
{
    private static readonly SortedDictionary<string, StoredNumbers> Formats = new(StringComparer.Ordinal)
    {
        ["f32"] = StoredNumbers.Float32, ["f16"] = StoredNumbers.Float16, ["bf16"] = StoredNumbers.BFloat16,
        ["q8_0"] = StoredNumbers.Q8_0, ["q4_0"] = StoredNumbers.Q4_0, ["q4_1"] = StoredNumbers.Q4_1,
    };

    public static Option<string> Shape() => new("--shape")
    {
        Description = $"Whose sizes the random model has: {string.Join(", ", ModelShapes.Names)}.", DefaultValueFactory = _ => "gpt2",
    };

    public static Option<string> Dtype() => new("--dtype")
    {
        Description = $"How the weights are kept: {string.Join(", ", Formats.Keys)}.", DefaultValueFactory = _ => "f32",
    };

    public static Option<string> Threads() => new("--threads")
    {
        Description = "Threads to compute with; several, such as 1,2, are measured one after the other on the same model.",
        DefaultValueFactory = _ => Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture),
    };

    public static Option<bool> Json() => new("--json") { Description = "Print a JSON object on a line for each measurement, and nothing else." };

    /// <summary>The values of an option that takes several, separated by commas.</summary>
    public static string[] Several(string text) => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Reads <see cref="Threads"/>.</summary>
    /// <exception cref="UsageException">One of them is no number of threads, or there is none.</exception>
    public static int[] ReadThreads(string text)
    {
        string[] parts = Several(text);
        return parts.Length > 0 && parts.All(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            ? [.. parts.Select(part => Inputs.CheckThreads(int.Parse(part, CultureInfo.InvariantCulture)))]
            : throw new UsageException($"--threads is '{text}'; write a number of threads, or several such as 1,2.");
    }

    /// <summary>A number of a report; null where it was not measured.</summary>
    public static void Write(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(name, value);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    public static void Progress(Terminal terminal, string text) => terminal.Error.WriteLine(text);

    public static TransformerModel Make(Terminal terminal, string shape, string dtype, Device device)
    {
        StoredNumbers numbers = Formats[Inputs.OneOf("--dtype", dtype, [.. Formats.Keys])];
        ModelConfig config = ModelShapes.Find(shape);
        Progress(terminal, $"making random weights of {shape} in {dtype}");
        long start = Stopwatch.GetTimestamp();
        TransformerModel model = TransformerModel.CreateFrozen(config, seed: 1, numbers);
        model.MoveTo(device);
        Progress(terminal, string.Create(CultureInfo.InvariantCulture, $"made in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s"));
        return model;
    }
}
