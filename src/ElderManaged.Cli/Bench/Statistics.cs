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

    /// <summary>
    /// Does what will be measured for a second, once at least. The JIT compiles what runs often a second time, in the background: until it
    /// has, it takes a core from the threads that are measured.
    /// </summary>
    public static void WarmUp(Action action)
    {
        long begin = Stopwatch.GetTimestamp();
        do
        {
            action();
        }
        while (Stopwatch.GetElapsedTime(begin).TotalSeconds < 1);
    }

    /// <summary>The median time of an action in seconds, over at least three runs and half a second; over fewer runs once they took two seconds.</summary>
    public static double MedianSeconds(Action action)
    {
        const int Least = 3;
        List<double> seconds = [];
        long begin = Stopwatch.GetTimestamp();
        while (seconds.Count == 0 || Stopwatch.GetElapsedTime(begin).TotalSeconds < (seconds.Count < Least ? 2 : seconds.Count < 50 ? 0.5 : 0))
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
