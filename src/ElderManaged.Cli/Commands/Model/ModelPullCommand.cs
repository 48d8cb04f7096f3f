using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ElderManaged.Models.Hub;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model pull NAME</c>: fetches a model from the Hugging Face hub into the cache.</summary>
internal static class ModelPullCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Argument<string> name = new("name") { Description = $"One of {Names()}." };
        Option<bool> json = Inputs.Json();
        Command command = new("pull", "Fetches a model from the Hugging Face hub; what was interrupted goes on. HF_TOKEN: for gated models; ELDER_HOME: where models are kept; HF_ENDPOINT: another hub.")
        {
            name, json,
        };
        command.SetAction(parsed =>
        {
            KnownModel model = KnownModels.Find(parsed.GetValue(name)!)
                ?? throw new UsageException($"There is no model '{parsed.GetValue(name)}' in the table; known are {Names()}.");
            using ModelHub hub = new();
            using PullLine line = new(terminal);
            PulledModel pulled = hub.PullAsync(model, line, cancellationToken).GetAwaiter().GetResult();
            line.Dispose();
            if (parsed.GetValue(json))
            {
                terminal.Out.WriteLine(JsonOutput.Write(writer => Write(writer, model, pulled)));
                return Program.Success;
            }

            foreach (PulledFile file in pulled.Files)
            {
                terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file.File}  {file.Bytes:#,0} bytes  {Describe(file.Check)}"));
            }

            terminal.Out.WriteLine($"{model.Name} is in {pulled.Folder}; use it with --model {model.Name}");
            return Program.Success;
        });
        return command;
    }

    private static string Names() => string.Join(", ", KnownModels.All.Select(model => model.Name));

    private static string Describe(FileCheck check) => check switch
    {
        FileCheck.Present => "was there",
        FileCheck.Sha256 => "SHA-256 right",
        FileCheck.GitSha1 => "git SHA-1 right",
        _ => "not checked: the server names no checksum",
    };

    private static void Write(Utf8JsonWriter json, KnownModel model, PulledModel pulled)
    {
        json.WriteString("name", model.Name);
        json.WriteString("folder", pulled.Folder);
        json.WriteString("commit", pulled.Commit);
        json.WriteStartArray("files");
        foreach (PulledFile file in pulled.Files)
        {
            json.WriteStartObject();
            json.WriteString("file", file.File);
            json.WriteNumber("bytes", file.Bytes);
            json.WriteString("check", file.Check switch
            {
                FileCheck.Present => "present", FileCheck.Sha256 => "sha256", FileCheck.GitSha1 => "git-sha1", _ => "length",
            });
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
