using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace ElderManaged.Tensors;

/// <summary>
/// A small persistent pool of worker threads that the CPU kernels share. Work comes in numbered parts;
/// which thread takes which part is left to chance, so a part must not depend on any other.
/// </summary>
/// <remarks>
/// One call at a time uses the pool. A call that finds it busy, or that comes from inside a part, runs its parts
/// one after the other on its own thread: never a deadlock, never a queue. Nothing is allocated per call.
/// Safe to call from any thread.
/// </remarks>
public static class CpuThreads
{
    // An idle worker watches for work this long before it sleeps. Waking it costs about 35 µs, which is more than a small
    // product takes; so it is longer than what a model does between two products, and far shorter than anyone would notice.
    private const int SpinMicroseconds = 200;
    private const int Closed = 1 << 30;

    private static readonly Lock Growth = new();
    private static Worker[] s_workers = [];
    private static volatile int s_count = Math.Max(1, Environment.ProcessorCount);

    private static int s_busy;                  // 1 while a call uses the pool
    private static volatile int s_generation;   // rises with every job
    private static Job? s_job;
    private static int s_parts;
    private static int s_next;                  // next part to hand out
    private static int s_inside = Closed;       // workers inside the job, plus Closed when nobody may enter
    private static Exception? s_failure;

    [ThreadStatic]
    private static bool t_insidePart;

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
            s_parts = parts;
            s_next = 0;
            s_failure = null;
            Volatile.Write(ref s_inside, 0); // opens the door; publishes what is above
            Interlocked.Increment(ref s_generation);
            Worker[] workers = s_workers;
            for (int i = 0; i < helpers; i++)
            {
                workers[i].Wake();
            }

            t_insidePart = true;
            TakeParts(job);
            t_insidePart = false;

            // Nobody may enter any more; wait only for workers that did enter, not for ones still waking up.
            Interlocked.Or(ref s_inside, Closed);
            SpinWait spin = default;
            while (Volatile.Read(ref s_inside) != Closed)
            {
                spin.SpinOnce(sleep1Threshold: -1);
            }

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
        }
    }

    private static void TakeParts(Job job)
    {
        int parts = s_parts;
        int part;
        while ((part = Interlocked.Increment(ref s_next) - 1) < parts)
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
                Volatile.Write(ref s_next, parts);
            }
        }
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
        private readonly SemaphoreSlim _signal = new(0);
        private readonly int _index;
        private int _parked;

        public Worker(int index)
        {
            _index = index;
            Thread thread = new(Loop) { IsBackground = true, Name = $"ElderManaged worker {index + 1}" };
            thread.Start();
        }

        public void Wake()
        {
            if (Volatile.Read(ref _parked) == 1 && Interlocked.Exchange(ref _parked, 0) == 1)
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
                if (_index < s_count - 1 && TryEnter())
                {
                    Job? job = s_job;
                    if (job is not null)
                    {
                        TakeParts(job);
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
            long until = Stopwatch.GetTimestamp() + (Stopwatch.Frequency * SpinMicroseconds / 1_000_000);
            do
            {
                if (s_generation != seen)
                {
                    return s_generation;
                }

                Thread.SpinWait(8);
            }
            while (Stopwatch.GetTimestamp() < until);

            Interlocked.Exchange(ref _parked, 1);
            if (s_generation != seen && Interlocked.Exchange(ref _parked, 0) == 1)
            {
                return s_generation;
            }

            _signal.Wait(); // either still parked, or a waker has taken the mark and released the signal
            return s_generation;
        }
    }
}
