using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using ElderManaged.Cli.Commands;
using ElderManaged.Cli.Commands.Model;
using ElderManaged.Editing;
using ElderManaged.Evaluation.Datasets;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Hub;
using ElderManaged.Tensors;

namespace ElderManaged.Cli;

/// <summary>The command line <c>elder</c>.</summary>
public static class Program
{
    /// <summary>Everything went as asked.</summary>
    public const int Success = 0;

    /// <summary>A fault of the program or the machine.</summary>
    public const int Failure = 1;

    /// <summary>An option, a file or a model is not as it must be; one line on standard error says what.</summary>
    public const int BadInput = 2;

    /// <summary>Stopped by Ctrl-C or a request to end.</summary>
    public const int Cancelled = 130;

    /// <summary>Runs the command of this process; Ctrl-C stops it where its work can be resumed, a second one at once.</summary>
    /// <param name="args">The arguments.</param>
    public static int Main(string[] args)
    {
        using CancellationTokenSource stop = new();
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        return Run(args, new Terminal(Console.Out, Console.Error, !Console.IsOutputRedirected, !Console.IsErrorRedirected), stop.Token);
    }

    /// <summary>Runs a command with given streams, as another program or a test does.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="stdout">Takes results.</param>
    /// <param name="stderr">Takes progress and errors.</param>
    /// <param name="cancellationToken">Stops as Ctrl-C does.</param>
    /// <returns>The exit code: <see cref="Success"/>, <see cref="Failure"/>, <see cref="BadInput"/> or <see cref="Cancelled"/>.</returns>
    public static int Run(IReadOnlyList<string> args, TextWriter stdout, TextWriter stderr, CancellationToken cancellationToken = default) =>
        Run(args, new Terminal(stdout, stderr, false, false), cancellationToken);

    private static int Run(IReadOnlyList<string> args, Terminal terminal, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(args);
        Option<bool> verbose = new("--verbose") { Description = "Show the details of unexpected failures.", Recursive = true };
        RootCommand root = new("Edits the knowledge of a language model, and shows what it kept, generalised and left alone.")
        {
            DemoCommand.Create(terminal, cancellationToken),
            EditCommand.Create(terminal, cancellationToken),
            AskCommand.Create(terminal, cancellationToken),
            GenerateCommand.Create(terminal, cancellationToken),
            Commands.Bench.BenchCommand.Create(terminal, cancellationToken),
            ModelCommand.Create(terminal, cancellationToken),
            DoctorCommand.Create(terminal),
            verbose,
        };
        ParseResult parsed = root.Parse(args);
        try
        {
            if (parsed.Action is ParseErrorAction)
            {
                throw new UsageException($"{parsed.Errors[0].Message} (see {string.Join(' ', CommandNames(parsed))} --help)");
            }

            return parsed.Invoke(new InvocationConfiguration
            {
                Output = terminal.Out, Error = terminal.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null,
            });
        }
        catch (OperationCanceledException)
        {
            terminal.Complain("Stopped.");
            return Cancelled;
        }
        catch (Exception exception) when (IsBadInput(exception))
        {
            terminal.Complain(exception.Message);
            return BadInput;
        }
        catch (DeviceException exception)
        {
            // Out of memory or lost in the middle: the message has the remedy.
            terminal.Complain(exception.Message);
            return Failure;
        }
#pragma warning disable CA1031 // the last place where a failure can be told in one line instead of a crash
        catch (Exception exception)
        {
            bool details = parsed.GetValue(verbose);
            terminal.Complain($"Unexpected failure: {exception.GetType().Name}: {exception.Message}{(details ? "" : " (run again with --verbose for details)")}");
            if (details)
            {
                terminal.Error.WriteLine(exception);
            }

            return Failure;
        }
#pragma warning restore CA1031
    }

    private static bool IsBadInput(Exception exception) => exception
        is UsageException or CheckpointException or HubException or DatasetException or EditException or InvalidDataException
        or FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException;

    // From the root to the command that was meant.
    private static IEnumerable<string> CommandNames(ParseResult parsed)
    {
        Stack<string> names = new();
        for (SymbolResult? result = parsed.CommandResult; result is CommandResult { Command: not RootCommand } command; result = result.Parent)
        {
            names.Push(command.Command.Name);
        }

        return names.Prepend("elder");
    }
}
