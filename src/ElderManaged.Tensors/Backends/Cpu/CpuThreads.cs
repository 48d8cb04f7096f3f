using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>
/// A small persistent pool of worker threads that the CPU kernels share. Work comes in numbered parts;
/// which thread takes which part is not promised, so a part must not depend on any other.
/// </summary>
/// <remarks>
/// <para>
/// One call at a time uses the pool. A call that finds it busy, or that comes from inside a part, runs its parts
/// one after the other on its own thread: never a deadlock, never a queue. Nothing is allocated per call.
/// Safe to call from any thread.
/// </para>
/// <code>
///   parts   │ 0  1  2  3 │ 4  5  6  7 │     each thread begins with a share of its own, the same in every call of as many parts: what one
///   caller    → → →  ←───────────── ←       op leaves of a tensor in a core's cache, the next op on that tensor finds there.
///   worker                 → → →            Then it helps the others, from the end of their shares.
/// </code>
/// </remarks>
public static class CpuThreads
{
    private const int Closed = 1 << 30;

    private static readonly Lock Growth = new();
    private static readonly int Processors = Environment.ProcessorCount;
    private static Worker[] s_workers = [];
    private static Share[] s_shares = new Share[1];
    private static volatile int s_count = Math.Max(1, Environment.ProcessorCount);
    private static volatile int s_spinMicroseconds = 200;

    private static int s_busy;                  // 1 while a call uses the pool
    private static volatile int s_generation;   // rises with every job
    private static volatile int s_asleep;       // workers that must be woken
    private static Job? s_job;
    private static int s_sharers;               // threads that have a share of the job
    private static int s_inside = Closed;       // workers inside the job, plus Closed when nobody may enter
    private static Exception? s_failure;

    [ThreadStatic]
    private static bool t_insidePart; // what this thread runs, it runs alone

    [ThreadStatic]
    private static double t_alone; // microseconds of short work in a row that were not shared

    [ThreadStatic]
    private static long t_lastAlone;

    /// <summary>How many threads, the caller's included, share the work: at first the number of processors. 1 means no worker threads.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public static int Count
    {
        get => s_count;
        set
        {
            if (value < 1)
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, $"CpuThreads.Count: {value} threads cannot compute; give 1 or more.");
            }

            s_count = value;
        }
    }

    /// <summary>
    /// For how many microseconds an idle worker watches for work before it sleeps, where calls follow each other so closely that this
    /// pays; 0 lets it sleep at once. Waking it takes about 35 µs, 15 of them the caller's: more than many an op.
    /// </summary>
    /// <remarks>A worker whose work keeps coming later than this stops watching until it comes soon again. With more threads than processors none watches.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative, or above a second.</exception>
    public static int SpinMicroseconds
    {
        get => s_spinMicroseconds;
        set
        {
            if (value is < 0 or > 1_000_000)
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, $"CpuThreads.SpinMicroseconds: {value} is not from 0 to 1,000,000.");
            }

            s_spinMicroseconds = value;
        }
    }

    /// <summary>Whether the first worker, which has a share of every job, watches for work: then handing it over takes less than a microsecond.</summary>
    internal static bool AreAwake => s_workers is [{ IsAwake: true }, ..];

    /// <summary>Whether to share work that would take one thread about so many microseconds. It is no use in a part.</summary>
    /// <remarks>
    /// Where a worker must be woken for it, short pieces of work count together while they follow each other closely: once their time is that of waking
    /// it, it is woken. So the time lost is at most twice what knowing the future would have lost.
    /// </remarks>
    internal static bool AreWorth(double microseconds)
    {
        const double WorthHanding = 3, WorthWaking = 60;
        if (s_count == 1 || t_insidePart || microseconds < WorthHanding)
        {
            return false;
        }

        if (microseconds >= WorthWaking || AreAwake)
        {
            return true;
        }

        long now = Stopwatch.GetTimestamp();
        t_alone = Stopwatch.GetElapsedTime(t_lastAlone, now).TotalMicroseconds < s_spinMicroseconds ? t_alone + microseconds : microseconds;
        t_lastAlone = now;
        return t_alone >= WorthWaking;
    }

    /// <summary>Runs work on this thread alone, as a part does: for threads that share work by themselves.</summary>
    internal static void Alone<TState>(TState state, Action<TState> work)
    {
        bool before = t_insidePart;
        t_insidePart = true;
        try
        {
            work(state);
        }
        finally
        {
            t_insidePart = before;
        }
    }

    // Whoever waits by looking again and again must not keep a processor from the thread that it waits for.
    private static bool MaySpin => Processors > 1 && s_count <= Processors && s_spinMicroseconds > 0;

    /// <summary>Runs <paramref name="body"/> for every part from 0 to <paramref name="parts"/> - 1 and returns when all are done.</summary>
    /// <typeparam name="TState">What the parts share; a struct of pointers and sizes avoids any allocation.</typeparam>
    /// <param name="parts">The number of parts.</param>
    /// <param name="state">Handed to every part.</param>
    /// <param name="body">The work of one part; a static lambda.</param>
    /// <remarks>When a part throws, parts not yet begun are dropped and the exception is rethrown to the caller.</remarks>
    public static void Run<TState>(int parts, TState state, Action<TState, int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        int helpers = Math.Min(s_count, parts) - 1;
        if (helpers < 1 || t_insidePart || Interlocked.CompareExchange(ref s_busy, 1, 0) != 0)
        {
            for (int part = 0; part < parts; part++)
            {
                body(state, part);
            }

            return;
        }

        Exception? failure;
        Job<TState> job = Job<TState>.Instance;
        try
        {
            EnsureWorkers(helpers);
            job.State = state;
            job.Body = body;
            s_job = job;
            s_failure = null;
            int sharers = helpers + 1;
            s_sharers = sharers;
            for (int i = 0; i < sharers; i++)
            {
                s_shares[i].Set((int)((long)parts * i / sharers), (int)((long)parts * (i + 1) / sharers));
            }

            Volatile.Write(ref s_inside, 0); // opens the door; publishes what is above
            Interlocked.Increment(ref s_generation);
            if (s_asleep > 0)
            {
                Worker[] workers = s_workers;
                for (int i = 0; i < helpers; i++)
                {
                    workers[i].Wake();
                }
            }

            t_insidePart = true;
            TakeParts(job, 0, sharers);
            t_insidePart = false;

            // Nobody may enter any more; wait only for workers that did enter, not for ones still waking up.
            Interlocked.Or(ref s_inside, Closed);
            AwaitWorkers();
            failure = s_failure;
        }
        finally
        {
            job.State = default!;
            job.Body = null!;
            s_job = null;
            s_failure = null;
            Volatile.Write(ref s_busy, 0);
        }

        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private static void EnsureWorkers(int wanted)
    {
        if (s_workers.Length >= wanted)
        {
            return;
        }

        lock (Growth)
        {
            Worker[] before = s_workers;
            Worker[] after = new Worker[wanted];
            before.CopyTo(after, 0);
            for (int i = before.Length; i < wanted; i++)
            {
                after[i] = new Worker(i);
            }

            s_workers = after;
            s_shares = new Share[wanted + 1];
        }
    }

    // Thread number `self` (the caller is 0): its own share, then what is left of the others'.
    private static void TakeParts(Job job, int self, int sharers)
    {
        Share[] shares = s_shares;
        for (int i = 0; i < sharers; i++)
        {
            int owner = (self + i) % sharers;
            while (shares[owner].TryTake(fromEnd: i > 0, out int part))
            {
                try
                {
                    job.Execute(part);
                }
#pragma warning disable CA1031 // Whatever a part throws belongs to the caller, who gets it rethrown.
                catch (Exception e)
#pragma warning restore CA1031
                {
                    Interlocked.CompareExchange(ref s_failure, e, null);
                    for (int all = 0; all < sharers; all++)
                    {
                        shares[all].Set(0, 0);
                    }
                }
            }
        }
    }

    // What a worker has still to do is seldom longer than a few parts.
    private static void AwaitWorkers()
    {
        const int Looks = 1000;
        for (int i = MaySpin ? 0 : Looks; i < Looks && Volatile.Read(ref s_inside) != Closed; i++)
        {
            Thread.SpinWait(1);
        }

        SpinWait spin = default;
        while (Volatile.Read(ref s_inside) != Closed)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>The parts of one thread that nobody has taken yet. Two cache lines each: taking from one does not disturb another.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 128)]
    private struct Share
    {
        private long _range; // the first part in the lower half, the one after the last in the upper

        public void Set(int first, int end) => Interlocked.Exchange(ref _range, Pack(first, end));

        public bool TryTake(bool fromEnd, out int part)
        {
            long seen = Volatile.Read(ref _range);
            while (true)
            {
                int first = (int)seen, end = (int)(seen >> 32);
                part = fromEnd ? end - 1 : first;
                if (first >= end)
                {
                    return false;
                }

                long found = Interlocked.CompareExchange(ref _range, fromEnd ? Pack(first, end - 1) : Pack(first + 1, end), seen);
                if (found == seen)
                {
                    return true;
                }

                seen = found;
            }
        }

        private static long Pack(int first, int end) => ((long)end << 32) | (uint)first;
    }

    private abstract class Job
    {
        public abstract void Execute(int part);
    }

    // One for each state type is enough: only the call that holds s_busy touches it.
    private sealed class Job<TState> : Job
    {
        public static readonly Job<TState> Instance = new();

        public TState State = default!;
        public Action<TState, int> Body = null!;

        public override void Execute(int part) => Body(State, part);
    }

#pragma warning disable CA1001 // A worker lives as long as the process.
    private sealed class Worker
#pragma warning restore CA1001
    {
        private const int MostHope = 8;

        private readonly SemaphoreSlim _signal = new(0);
        private readonly int _index;
        private int _parked;
        private int _hope = MostHope; // falls with every wait that was too long to watch, rises with one that was not

        public Worker(int index)
        {
            _index = index;
            Thread thread = new(Loop) { IsBackground = true, Name = $"ElderManaged worker {index + 1}" };
            thread.Start();
        }

        public bool IsAwake => Volatile.Read(ref _parked) == 0;

        public void Wake()
        {
            if (Unpark())
            {
                _signal.Release();
            }
        }

        private void Loop()
        {
            t_insidePart = true; // a kernel called from a part runs serially
            int seen = 0;
            while (true)
            {
                seen = WaitForJob(seen);
                if (TryEnter())
                {
                    int sharers = s_sharers;
                    if (_index < sharers - 1)
                    {
                        TakeParts(s_job!, _index + 1, sharers);
                    }

                    Interlocked.Decrement(ref s_inside);
                }
            }
        }

        private static bool TryEnter()
        {
            int inside = Volatile.Read(ref s_inside);
            while ((inside & Closed) == 0)
            {
                int found = Interlocked.CompareExchange(ref s_inside, inside + 1, inside);
                if (found == inside)
                {
                    return true;
                }

                inside = found;
            }

            return false;
        }

        private int WaitForJob(int seen)
        {
            long start = Stopwatch.GetTimestamp();
            long worthIt = Stopwatch.Frequency * s_spinMicroseconds / 1_000_000;
            if (_hope > 0 && MaySpin)
            {
                do
                {
                    if (s_generation != seen)
                    {
                        _hope = MostHope;
                        return s_generation;
                    }

                    Thread.SpinWait(1);
                }
                while (Stopwatch.GetTimestamp() - start < worthIt);
            }

            // In this order: a caller that raises the generation and then finds nobody asleep is seen here at the latest.
            Interlocked.Increment(ref s_asleep);
            Interlocked.Exchange(ref _parked, 1);
            if (s_generation == seen || !Unpark())
            {
                _signal.Wait(); // either still parked, or a waker has taken the mark and released the signal
            }

            _hope = Stopwatch.GetTimestamp() - start <= worthIt ? MostHope : Math.Max(0, _hope - 1);
            return s_generation;
        }

        // Only one may take the mark off: the worker that finds work at the last moment, or who wakes it.
        private bool Unpark()
        {
            if (Volatile.Read(ref _parked) == 0 || Interlocked.Exchange(ref _parked, 0) == 0)
            {
                return false;
            }

            Interlocked.Decrement(ref s_asleep);
            return true;
        }
    }
}
