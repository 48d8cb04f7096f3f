using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using ElderManaged.Cli.Bench;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model new</c>: a checkpoint of random numbers in the shape of a known model.</summary>
internal static class ModelNewCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> shape = new("--shape") { Description = $"One of {string.Join(", ", ModelShapes.Names)}.", Required = true };
        Option<string> type = new("--dtype") { Description = "f32, f16 or bf16.", DefaultValueFactory = _ => "f16" };
        Option<ulong> seed = Inputs.Seed();
        Option<string> output = new("--out") { Description = "The folder to write.", Required = true };
        Option<string?> tokenizer = new("--tokenizer") { Description = "A folder whose tokenizer files are copied beside the weights." };
        Command command = new("new", "Writes random weights in the shape of a known model, to try sizes for which no weights are at hand.") { shape, type, seed, output, tokenizer };
        command.SetAction(parsed =>
        {
            ModelConfig config = ModelShapes.Find(parsed.GetValue(shape)!);
            StoredType stored = ModelFiles.Types[Inputs.OneOf("--dtype", parsed.GetValue(type)!, [.. ModelFiles.Types.Keys])];
            string folder = parsed.GetValue(output)!;
            long parameters = RandomCheckpoint.CountParameters(config);
            long start = Stopwatch.GetTimestamp();
            RandomCheckpoint.Write(config, parsed.GetValue(seed), stored, folder, new Tenths(terminal, parameters), cancellationToken);
            if (parsed.GetValue(tokenizer) is { } from)
            {
                ModelFiles.CopyTokenizer(from, folder);
            }

            double megabytes = new FileInfo(Path.Combine(folder, "model.safetensors")).Length / 1e6, seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            terminal.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {parameters:N0} parameters, {megabytes:N1} MB in {seconds:N1} s, {megabytes / Math.Max(1e-3, seconds):N0} MB/s."));
            return Program.Success;
        });
        return command;
    }
}
