using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace ElderManaged.Tensors;

/// <summary>What one choice is about: what is computed, and how large it is.</summary>
internal readonly record struct GpuTuneKey(string Subject, int Rows, int Columns, int Depth, int Batch)
{
    /// <summary>As it is written into the file.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Subject} {Rows} {Columns} {Depth} {Batch}");
}

/// <summary>Keeps choices for the next time.</summary>
internal interface IGpuChoices
{
    /// <summary>What was kept, or null.</summary>
    string? Find(string device, string key);

    /// <summary>Adds a choice, or replaces it.</summary>
    void Keep(string device, string key, string choice);
}

/// <summary>
/// Finds out which of several kernels that compute the same bits is the fastest on a device, when one is first needed, and keeps
/// what it found in a file for the next time.
/// </summary>
/// <param name="device">The device and its driver.</param>
/// <param name="kept">What was found out earlier.</param>
/// <param name="clock">Tells when the <see cref="Budget"/> is used up.</param>
internal sealed class GpuTuner(string device, IGpuChoices kept, TimeProvider clock)
{
    /// <summary>No further candidate is tried after so long; each may take as long as compiling it does.</summary>
    public static readonly TimeSpan Budget = TimeSpan.FromSeconds(2);

    private const double LeastSeconds = 0.002; // of one measurement
    private const int MostLaunches = 16, Measurements = 3;

    private readonly ConcurrentDictionary<GpuTuneKey, int> chosen = new();
    private readonly Lock choosing = new();

    /// <summary>Whether what the file says is passed over and measured anew.</summary>
    public bool Anew { get; init; }

    /// <summary>What was chosen so far, by what it is about.</summary>
    public IEnumerable<KeyValuePair<GpuTuneKey, int>> Chosen => chosen;

    /// <summary>What was chosen before. Allocates nothing.</summary>
    public bool TryGet(GpuTuneKey key, out int choice) => chosen.TryGetValue(key, out choice);

    /// <summary>The choice of the file, or else the candidate that took the least time.</summary>
    /// <param name="key">What it is about.</param>
    /// <param name="names">Names of all choices, which stand in the file.</param>
    /// <param name="candidates">Which of them to try. The first is taken if none can be measured.</param>
    /// <param name="seconds">Measures one.</param>
    public int Choose(GpuTuneKey key, string[] names, IReadOnlyList<int> candidates, Func<int, double> seconds)
    {
        lock (choosing)
        {
            if (TryGet(key, out int known))
            {
                return known;
            }

            if (!Anew && kept.Find(device, key.ToString()) is { } name && Array.IndexOf(names, name) is >= 0 and int choice)
            {
                return chosen[key] = choice;
            }

            int best = candidates[0];
            double least = double.PositiveInfinity;
            long start = clock.GetTimestamp();
            foreach (int candidate in candidates)
            {
                if (clock.GetElapsedTime(start) >= Budget)
                {
                    break;
                }

                double time = Try(seconds, candidate);
                if (time < least)
                {
                    (best, least) = (candidate, time);
                }
            }

            if (double.IsFinite(least))
            {
                kept.Keep(device, key.ToString(), names[best]);
            }

            return chosen[key] = best;
        }
    }

    /// <summary>The least time of a launch out of several measurements, after one that compiles the kernel and warms up.</summary>
    public static double Seconds(GpuDevice gpu, Action launch)
    {
        _ = Once(gpu, launch, 1);
        int launches = (int)Math.Clamp(LeastSeconds / Once(gpu, launch, 1), 1, MostLaunches);
        return Enumerable.Range(0, Measurements).Min(_ => Once(gpu, launch, launches));
    }

    private static double Once(GpuDevice gpu, Action launch, int launches)
    {
        gpu.Synchronize();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < launches; i++)
        {
            launch();
        }

        gpu.Synchronize();
        return Math.Max(Stopwatch.GetElapsedTime(start).TotalSeconds / launches, 1e-9);
    }

    // A kernel that this device cannot run is none to choose.
    private static double Try(Func<int, double> seconds, int candidate)
    {
        try
        {
            return seconds(candidate);
        }
        catch (DeviceException)
        {
            return double.PositiveInfinity;
        }
    }
}
