using Spectre.Console;

namespace ElderManaged.Cli;

/// <summary>Where a command writes: results to one stream, progress and errors to the other.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">Progress and errors.</param>
/// <param name="OutIsScreen">Whether somebody watches the results appear.</param>
/// <param name="ErrorIsScreen">Whether somebody watches progress, so that a line may be written over.</param>
internal sealed record Terminal(TextWriter Out, TextWriter Error, bool OutIsScreen, bool ErrorIsScreen)
{
    // Wide enough for the table of results when nothing says how wide lines may be.
    private const int RedirectedWidth = 200;

    /// <summary>One line on the error stream, whatever the message contains.</summary>
    public void Complain(string message) =>
        Error.WriteLine(string.Join(' ', message.Split((char[])['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)));

    /// <summary>The console that draws tables on the result stream.</summary>
    public IAnsiConsole Console()
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Out),
            Ansi = OutIsScreen ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = OutIsScreen ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        if (!OutIsScreen)
        {
            console.Profile.Width = RedirectedWidth;
        }

        return console;
    }
}
