using System.CommandLine;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model</c>: looks at model files and converts them.</summary>
internal static class ModelCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken) => new("model", "Looks at model files and converts them.")
    {
        ModelInfoCommand.Create(terminal),
        ModelConvertCommand.Create(terminal, cancellationToken),
        ModelFormatsCommand.Create(terminal),
    };
}
