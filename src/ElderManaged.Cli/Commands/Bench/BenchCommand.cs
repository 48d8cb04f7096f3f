using System.CommandLine;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary><c>elder bench</c>: measures this machine on the work that the program is for.</summary>
internal static class BenchCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken) =>
        new("bench", "Measures editing and generating on this machine, with random weights or a model of yours.")
        {
            BenchEditCommand.Create(terminal, cancellationToken),
            BenchGenerateCommand.Create(terminal, cancellationToken),
            BenchModelCommand.Create(terminal, cancellationToken),
            BenchGpuCommand.Create(terminal, cancellationToken),
        };
}
