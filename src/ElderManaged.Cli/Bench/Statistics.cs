using System.Diagnostics;

namespace ElderManaged.Cli.Bench;

/// <summary>What the measuring commands share.</summary>
internal static class Statistics
{
    /// <summary>The middle value.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The median time of an action in seconds, over at least <paramref name="least"/> runs and half a second.</summary>
    public static double MedianSeconds(Action action, int least = 3)
    {
        List<double> seconds = [];
        long begin = Stopwatch.GetTimestamp();
        while (seconds.Count < least || (seconds.Count < 50 && Stopwatch.GetElapsedTime(begin).TotalSeconds < 0.5))
        {
            long start = Stopwatch.GetTimestamp();
            action();
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return Median(seconds);
    }

    /// <summary>The most memory this process has had, in bytes.</summary>
    public static long PeakMemory()
    {
        using Process self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }
}
