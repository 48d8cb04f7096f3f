using System.CommandLine;
using ElderManaged.Cli.Bench;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary><c>elder bench generate</c>: one prompt and the tokens after it, on a model of random weights.</summary>
internal static class BenchGenerateCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> shape = BenchOptions.Shape();
        Option<string> dtype = BenchOptions.Dtype();
        Option<int> prompt = new("--prompt") { Description = "Tokens of the prompt.", DefaultValueFactory = _ => 32 };
        Option<int> tokens = new("--tokens") { Description = "New tokens.", DefaultValueFactory = _ => 64 };
        Option<string> threads = BenchOptions.Threads();
        Option<string> device = Inputs.Device();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> json = BenchOptions.Json();
        Command command = new("generate", "Times a prompt and the tokens after it, beside reading the weights once for each.")
        {
            shape, dtype, prompt, tokens, threads, device, tensorCores, json,
        };
        command.SetAction(parsed =>
        {
            int[] counts = BenchOptions.ReadThreads(parsed.GetValue(threads)!);
            string name = parsed.GetValue(shape)!, format = parsed.GetValue(dtype)!;
            GenerateReport.Check(ModelShapes.Find(name), parsed.GetValue(prompt), parsed.GetValue(tokens));
            using Device computing = Inputs.OpenDevice(parsed.GetValue(device)!, parsed.GetValue(tensorCores), terminal);
            Inputs.UseThreads(counts.Max());
            TransformerModel model = BenchOptions.Make(terminal, name, format, computing);
            GenerateReport.Run(terminal, $"{name} {format}", model, parsed.GetValue(prompt), parsed.GetValue(tokens), counts, parsed.GetValue(json), cancellationToken);
            return Program.Success;
        });
        return command;
    }
}
