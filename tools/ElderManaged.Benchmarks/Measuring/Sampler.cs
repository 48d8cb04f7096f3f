using System.Diagnostics;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Measuring;

/// <summary>
/// Times two actions against each other: bursts of one and of the other in turn, in one process, so that whatever the
/// machine does meanwhile happens to both. The result is the median of each side's bursts. Where these differ much, whichever side it
/// is, both get more turns: on a machine that is shared, others take a core away for seconds.
/// </summary>
/// <remarks>
/// BenchmarkDotNet measures one thing at a time and takes seconds for each; hundreds of pairs in ten minutes need this
/// instead. For exact statistics of single kernels there are the classes in <c>Exact</c>.
/// </remarks>
/// <param name="rounds">How often each side has its turn, and how often once more if the bursts differ.</param>
/// <param name="cancellation">Looked at between turns.</param>
internal sealed class Sampler(int rounds, CancellationToken cancellation)
{
    private const int Bursts = 5;

    // The middle half of a side's bursts lies this close together, relative to their median, if nobody disturbs.
    private const double MostSpread = 0.1;

    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(8);
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(20), FirstWarmUp = TimeSpan.FromMilliseconds(250), LongestWarmUp = TimeSpan.FromSeconds(1);

    // A call that takes so long needs no second one to tell how many fit into a burst: one.
    private static readonly TimeSpan LongCall = TimeSpan.FromMilliseconds(100);

    // For about a tenth of a second after the other side's turn, the system's scheduler keeps two of this side's threads on one core:
    // every call takes twice as long. (A peer that binds its threads to cores does not suffer from it.)
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(150);
    private readonly HashSet<string> warm = [];

    /// <summary>Median seconds of one call of each side.</summary>
    /// <param name="kind">What code is measured: the first time, it is run for longer before anything counts.</param>
    /// <param name="ours">Called on this thread.</param>
    /// <param name="peer">Called on this thread, between the turns of the other.</param>
    /// <exception cref="OperationCanceledException">Stopped between turns.</exception>
    public (double Ours, double Peer) Seconds(string kind, Action ours, Action peer)
    {
        double[] seconds = Seconds(kind, [ours, peer]);
        return (seconds[0], seconds[1]);
    }

    /// <summary>Median seconds of one call of each of several sides.</summary>
    public double[] Seconds(string kind, Action[] actions)
    {
        bool first = warm.Add(kind);
        Side[] sides = [.. actions.Select(action => new Side(action, SecondsOfCall(action, first)))];
        Side? last = null;
        for (int round = 0; round < rounds || (round < 2 * rounds && sides.Any(side => side.Spread() > MostSpread)); round++)
        {
            // a b, b a, a b: no side always comes last, and who has two turns in a row has settled for the second
            foreach (Side side in round % 2 == 0 ? sides : sides.Reverse())
            {
                TakeTurn(side, goesOn: side == last);
                last = side;
            }
        }

        return [.. sides.Select(side => side.Median())];
    }

    /// <summary>Median seconds of one call.</summary>
    public double Seconds(Action action)
    {
        Side side = new(action, SecondsOfCall(action, first: true));
        for (int round = 0; round < rounds; round++)
        {
            TakeTurn(side, goesOn: round > 0);
        }

        return side.Median();
    }

    // Before anything counts: the compiler replaces a method by a faster one after 30 calls; caches and branch predictors settle.
    private double SecondsOfCall(Action action, bool first)
    {
        const int Recompiled = 40;
        cancellation.ThrowIfCancellationRequested();
        Stopwatch watch = Stopwatch.StartNew();
        action(); // packs weights, makes buffers
        if (!first && watch.Elapsed > LongCall)
        {
            return watch.Elapsed.TotalSeconds;
        }

        int calls = 0;
        watch.Restart();
        do
        {
            action();
            calls++;
        }
        while (watch.Elapsed < WarmUp || (first && (watch.Elapsed < FirstWarmUp || (calls < Recompiled && watch.Elapsed < LongestWarmUp))));
        return watch.Elapsed.TotalSeconds / calls;
    }

    private void TakeTurn(Side side, bool goesOn)
    {
        cancellation.ThrowIfCancellationRequested();
        if (!goesOn)
        {
            WaitForIdleThreads();
            Settle(side);
        }

        for (int burst = 0; burst < side.Bursts; burst++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < side.Calls; i++)
            {
                side.Action();
            }

            side.Times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds / side.Calls);
        }
    }

    private static void Settle(Side side)
    {
        long start = Stopwatch.GetTimestamp();
        if (CpuThreads.Count > 1 || side.IsShort)
        {
            do
            {
                side.Action();
            }
            while (CpuThreads.Count > 1 && Stopwatch.GetElapsedTime(start) < Settling);
        }
    }

    // The peer's threads go on spinning for a while after a run, on cores that ours are about to use (and the other way
    // round): wait until this process uses hardly any processor time.
    private static void WaitForIdleThreads()
    {
        long start = Stopwatch.GetTimestamp();
        TimeSpan used = Environment.CpuUsage.TotalTime;
        while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromMilliseconds(300))
        {
            long before = Stopwatch.GetTimestamp();
            Thread.Sleep(1);
            TimeSpan now = Environment.CpuUsage.TotalTime;
            if (now - used < 0.25 * Stopwatch.GetElapsedTime(before))
            {
                return;
            }

            used = now;
        }
    }

    private sealed class Side(Action action, double secondsOfCall)
    {
        public Action Action => action;

        public int Calls { get; } = (int)Math.Clamp(Math.Ceiling(Burst.TotalSeconds / secondsOfCall), 1, 1_000_000);

        /// <summary>In each turn; one is enough where a single call takes long.</summary>
        public int Bursts { get; } = (int)Math.Clamp(Sampler.Bursts * Burst.TotalSeconds / secondsOfCall, 1, Sampler.Bursts);

        /// <summary>Short enough that waking up after a pause would be seen in a single call.</summary>
        public bool IsShort { get; } = secondsOfCall < 0.02;

        public List<double> Times { get; } = [];

        /// <summary>From the first quartile to the third, relative to the median.</summary>
        public double Spread()
        {
            Times.Sort();
            return (Times[Times.Count * 3 / 4] - Times[Times.Count / 4]) / Times[Times.Count / 2];
        }

        public double Median()
        {
            Times.Sort();
            return Results.MarkdownTables.Median([.. Times]);
        }
    }
}
