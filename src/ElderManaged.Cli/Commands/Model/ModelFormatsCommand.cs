using System.CommandLine;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model formats</c>: the formats that models are read from, as the README's table.</summary>
internal static class ModelFormatsCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("formats", "Prints the supported formats as a Markdown table.");
        command.SetAction(_ =>
        {
            terminal.Out.Write(ModelFormats.Markdown());
            return Program.Success;
        });
        return command;
    }
}
