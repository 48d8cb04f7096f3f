using System.CommandLine;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model</c>: looks at model files, converts them, makes random ones.</summary>
internal static class ModelCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken) => new("model", "Looks at model files, converts them, makes random ones.")
    {
        ModelInfoCommand.Create(terminal),
        ModelConvertCommand.Create(terminal, cancellationToken),
        ModelNewCommand.Create(terminal, cancellationToken),
        ModelFormatsCommand.Create(terminal),
    };
}
