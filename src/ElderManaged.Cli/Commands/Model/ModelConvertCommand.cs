using System.CommandLine;
using System.Globalization;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model convert</c>: writes any model as a Hugging Face folder.</summary>
internal static class ModelConvertCommand
{
    private static readonly Dictionary<string, StoredType?> Types = new()
    {
        ["stored"] = null, ["f32"] = StoredType.F32, ["f16"] = StoredType.F16, ["bf16"] = StoredType.BF16,
    };

    private static readonly string[] TokenizerFiles =
        ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model", "vocab.json", "merges.txt", "added_tokens.json", "generation_config.json"];

    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> model = Inputs.Model();
        Option<string> output = new("--out") { Description = "The folder to write: config.json, model.safetensors, tokenizer files.", Required = true };
        Option<string> type = new("--dtype")
        {
            Description = "f32, f16 or bf16; 'stored' keeps half-width tensors and widens quantized ones to f32.", DefaultValueFactory = _ => "stored",
        };
        Command command = new("convert", "Writes a model of any supported format as a Hugging Face folder (safetensors).") { model, output, type };
        command.SetAction(parsed =>
        {
            StoredType? stored = Types[Inputs.OneOf("--dtype", parsed.GetValue(type)!, [.. Types.Keys])];
            string folder = parsed.GetValue(output)!;
            using Checkpoint checkpoint = Checkpoint.Open(Inputs.FindModel(parsed.GetValue(model)!));
            long all = Math.Max(1, checkpoint.Entries.Values.Sum(entry => entry.ElementCount));
            CheckpointConverter.Convert(checkpoint, folder, stored, new Percent(terminal, all), cancellationToken);
            string[] copied = CopyTokenizer(checkpoint, folder);
            terminal.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {checkpoint.Entries.Count} tensors, {new FileInfo(Path.Combine(folder, "model.safetensors")).Length / 1e6:N1} MB{(copied.Length == 0 ? "; the source has no tokenizer files of its own" : $"; {string.Join(", ", copied)}")}."));
            return Program.Success;
        });
        return command;
    }

    private static string[] CopyTokenizer(Checkpoint checkpoint, string folder)
    {
        string source = Directory.Exists(checkpoint.Path) ? checkpoint.Path : Path.GetDirectoryName(Path.GetFullPath(checkpoint.Path))!;
        string[] files = [.. TokenizerFiles.Where(file => File.Exists(Path.Combine(source, file)))];
        foreach (string file in files)
        {
            File.Copy(Path.Combine(source, file), Path.Combine(folder, file), overwrite: true);
        }

        return files;
    }

    /// <summary>Every tenth of the way on the error stream.</summary>
    private sealed class Percent(Terminal terminal, long all) : IProgress<long>
    {
        private long shown;

        public void Report(long value)
        {
            long tenth = value * 10 / all;
            if (tenth > shown)
            {
                shown = tenth;
                terminal.Error.WriteLine($"{tenth * 10} % written");
            }
        }
    }
}
