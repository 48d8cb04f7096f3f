using System.CommandLine;
using ElderManaged.Cli.Bench;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary><c>elder bench model</c>: one prompt and the tokens after it, on a checkpoint.</summary>
internal static class BenchModelCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> model = Inputs.Model();
        Option<int> prompt = new("--prompt") { Description = "Tokens of the prompt.", DefaultValueFactory = _ => 512 };
        Option<int> tokens = new("--tokens") { Description = "New tokens.", DefaultValueFactory = _ => 128 };
        Option<string> threads = BenchOptions.Threads();
        Option<string> device = Inputs.Device();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> json = BenchOptions.Json();
        Command command = new("model", "Times a prompt and the tokens after it on a model of yours.") { model, prompt, tokens, threads, device, tensorCores, json };
        command.SetAction(parsed =>
        {
            int[] counts = BenchOptions.ReadThreads(parsed.GetValue(threads)!);
            Inputs.UseThreads(counts.Max());
            using Device computing = Inputs.OpenDevice(parsed.GetValue(device)!, parsed.GetValue(tensorCores), terminal);
            string given = parsed.GetValue(model)!, path = File.Exists(given) ? given : Inputs.FindModel(given);
            GenerateReport.Run(
                terminal, path, TransformerModel.Load(path, new LoadOptions { Device = computing }), parsed.GetValue(prompt), parsed.GetValue(tokens), counts,
                parsed.GetValue(json), cancellationToken);
            return Program.Success;
        });
        return command;
    }
}
