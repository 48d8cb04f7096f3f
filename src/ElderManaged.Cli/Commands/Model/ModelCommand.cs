using System.CommandLine;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model</c>: fetches models, looks at model files, converts them, makes random ones.</summary>
internal static class ModelCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken) => new("model", "Fetches models, looks at model files, converts them, makes random ones.")
    {
        ModelPullCommand.Create(terminal, cancellationToken),
        ModelInfoCommand.Create(terminal),
        ModelConvertCommand.Create(terminal, cancellationToken),
        ModelNewCommand.Create(terminal, cancellationToken),
        ModelFormatsCommand.Create(terminal),
    };
}
