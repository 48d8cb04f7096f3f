using System.Diagnostics;
using System.Globalization;
using ElderManaged.Evaluation.Harness;

namespace ElderManaged.Cli;

/// <summary>
/// Progress on the error stream with speed and time left: one line written over on a screen, a plain line now and then
/// elsewhere, so that a log stays readable.
/// </summary>
internal sealed class ProgressLine(Terminal terminal) : IProgress<ExperimentProgress>, IDisposable
{
    private static readonly TimeSpan OnScreen = TimeSpan.FromSeconds(0.1), InLog = TimeSpan.FromSeconds(5);
    private readonly Stopwatch sinceLast = Stopwatch.StartNew();
    private string phase = "";
    private bool open;

    public void Report(ExperimentProgress value)
    {
        string now = $"{EditMethods.Label(value.Method)}: {value.Phase}";
        bool due = now != phase || value.Done >= value.Total || sinceLast.Elapsed >= (terminal.ErrorIsScreen ? OnScreen : InLog);
        if (!due)
        {
            return;
        }

        if (now != phase)
        {
            EndLine();
        }

        phase = now;
        sinceLast.Restart();
        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"{now} {value.Done}/{value.Total}, {value.PerSecond:0.0}/s, {Clock(value.Left)} left");
        if (terminal.ErrorIsScreen)
        {
            terminal.Error.Write($"\r\u001b[2K{text}");
            open = true;
        }
        else
        {
            terminal.Error.WriteLine(text);
        }
    }

    public void Dispose() => EndLine();

    private void EndLine()
    {
        if (open)
        {
            terminal.Error.WriteLine();
            open = false;
        }
    }

    private static string Clock(TimeSpan left) => string.Create(
        CultureInfo.InvariantCulture, $"{(long)Math.Min(left.TotalMinutes, 99_999)}:{left.Seconds:00}");
}
