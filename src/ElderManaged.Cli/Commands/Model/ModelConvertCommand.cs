using System.CommandLine;
using System.Globalization;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model convert</c>: writes any model as a Hugging Face folder.</summary>
internal static class ModelConvertCommand
{
    private const string AsStored = "stored";

    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> model = Inputs.Model();
        Option<string> output = new("--out") { Description = "The folder to write: config.json, model.safetensors, tokenizer files.", Required = true };
        Option<string> type = new("--dtype")
        {
            Description = "f32, f16 or bf16; 'stored' keeps half-width tensors and widens quantized ones to f32.", DefaultValueFactory = _ => AsStored,
        };
        Command command = new("convert", "Writes a model of any supported format as a Hugging Face folder (safetensors).") { model, output, type };
        command.SetAction(parsed =>
        {
            string named = Inputs.OneOf("--dtype", parsed.GetValue(type)!, [AsStored, .. ModelFiles.Types.Keys]);
            StoredType? stored = named == AsStored ? null : ModelFiles.Types[named];
            string folder = parsed.GetValue(output)!;
            using Checkpoint checkpoint = Checkpoint.Open(Inputs.FindModel(parsed.GetValue(model)!));
            long all = checkpoint.Entries.Values.Sum(entry => entry.ElementCount);
            CheckpointConverter.Convert(checkpoint, folder, stored, new Tenths(terminal, all), cancellationToken);
            string[] copied = ModelFiles.CopyTokenizer(Path.GetDirectoryName(checkpoint.Files[0])!, folder);
            terminal.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {checkpoint.Entries.Count} tensors, {new FileInfo(Path.Combine(folder, "model.safetensors")).Length / 1e6:N1} MB{(copied.Length == 0 ? "; the source has no tokenizer files of its own" : $"; {string.Join(", ", copied)}")}."));
            return Program.Success;
        });
        return command;
    }
}
