using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using ElderManaged.Cli.Bench;
using ElderManaged.Models;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary>What the measuring commands share.</summary>
internal static class BenchOptions
{
    public static Option<string> Shape() => new("--shape")
    {
        Description = $"Whose sizes the random model has: {string.Join(", ", ModelShapes.Names)}.", DefaultValueFactory = _ => "gpt2",
    };

    public static void Progress(Terminal terminal, string text) => terminal.Error.WriteLine(text);

    public static TransformerModel Make(Terminal terminal, string shape)
    {
        Progress(terminal, $"making random weights of {shape}");
        long start = Stopwatch.GetTimestamp();
        TransformerModel model = TransformerModel.CreateFrozen(ModelShapes.Find(shape), seed: 1);
        Progress(terminal, string.Create(CultureInfo.InvariantCulture, $"made in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s"));
        return model;
    }
}
