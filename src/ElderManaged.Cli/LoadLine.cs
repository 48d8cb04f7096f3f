using System.Diagnostics;
using System.Globalization;

namespace ElderManaged.Cli;

/// <summary>How far a model is loaded or checked, on one line of the screen that is wiped at the end; models that load at once show nothing.</summary>
internal sealed class LoadLine(Terminal terminal, string verb, long all) : IProgress<long>, IProgress<double>, IDisposable
{
    private static readonly TimeSpan Unnoticed = TimeSpan.FromSeconds(0.3), Between = TimeSpan.FromSeconds(0.1);
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private TimeSpan next = Unnoticed;
    private bool open;

    /// <summary>A part of all, from 0 to 1.</summary>
    public void Report(double value) => Report((long)(value * all));

    /// <summary>So many bytes.</summary>
    public void Report(long value)
    {
        TimeSpan passed = clock.Elapsed;
        if (passed < next)
        {
            return;
        }

        next = passed + Between;
        open = true;
        terminal.Error.Write(Text(verb, value, all, passed));
    }

    /// <summary>The line after some bytes in some time.</summary>
    internal static string Text(string verb, long done, long all, TimeSpan passed)
    {
        double perSecond = done / Math.Max(1e-9, passed.TotalSeconds);
        TimeSpan left = TimeSpan.FromSeconds(Math.Max(0, all - done) / Math.Max(1, perSecond));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"\r\u001b[2K{verb} {done / 1e9:0.00} of {all / 1e9:0.00} GB, {perSecond / 1e9:0.00} GB/s, {(long)left.TotalMinutes}:{left.Seconds:00} left");
    }

    public void Dispose()
    {
        if (open)
        {
            terminal.Error.Write("\r\u001b[2K");
            open = false;
        }
    }
}
