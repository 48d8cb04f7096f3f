using System.Diagnostics;
using System.Globalization;
using ElderManaged.Models.Hub;

namespace ElderManaged.Cli.Commands.Model;

/// <summary>Shows a download: a line written over on a screen, a plain line now and then elsewhere.</summary>
internal sealed class PullLine(Terminal terminal) : IProgress<PullProgress>, IDisposable
{
    private static readonly TimeSpan OnScreen = TimeSpan.FromSeconds(0.1), InLog = TimeSpan.FromSeconds(5);
    private readonly Lock gate = new();
    private readonly Stopwatch sinceLast = new();
    private string file = "";
    private bool open;

    public void Report(PullProgress value)
    {
        lock (gate)
        {
            if (value.Note is not null)
            {
                EndLine();
                terminal.Error.WriteLine($"{value.File}: {value.Note}");
                return;
            }

            bool due = value.File != file || value.Done == value.Total || sinceLast.Elapsed >= (terminal.ErrorIsScreen ? OnScreen : InLog);
            if (!due)
            {
                return;
            }

            if (value.File != file)
            {
                EndLine();
            }

            file = value.File;
            sinceLast.Restart();
            if (terminal.ErrorIsScreen)
            {
                terminal.Error.Write($"\r\u001b[2K{Text(value)}");
                open = true;
            }
            else
            {
                terminal.Error.WriteLine(Text(value));
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            EndLine();
        }
    }

    private static string Text(PullProgress value)
    {
        string share = value.Total is > 0 ? string.Create(CultureInfo.InvariantCulture, $" of {Megabytes(value.Total.Value)} ({100.0 * value.Done / value.Total.Value:0} %)") : "";
        string left = value.Left is TimeSpan time ? string.Create(CultureInfo.InvariantCulture, $", {(long)time.TotalMinutes}:{time.Seconds:00} left") : "";
        return $"[{value.Number}/{value.Count}] {value.File}: {Megabytes(value.Done)}{share}, {Megabytes((long)value.PerSecond)}/s{left}";
    }

    private static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB");

    private void EndLine()
    {
        if (open)
        {
            terminal.Error.WriteLine();
            open = false;
        }
    }
}
