using System.Runtime.ExceptionServices;

namespace ElderManaged.Tensors;

/// <summary>Runs parts that wait for a disk in between, on twice as many threads as compute: while some wait, others have the processors.</summary>
/// <remarks>
/// <code>
///   thread 1   read ░░░░ pack ████ read ░░░░ pack ████      With as many threads as processors, the disk would rest while all of them pack,
///   thread 2   read ░░░░░░░░ pack ████ read ░░░░ …          and the processors while all of them read.
///   thread 3   …
/// </code>
/// Threads come from the system's pool as far as it has them at once; the caller works too, so nothing ever waits for a thread.
/// Parts are begun in ascending order, which disks like best. See <see cref="CpuThreads"/> for work that only computes.
/// </remarks>
internal static class WaitingThreads
{
    /// <summary>Runs <paramref name="body"/> for every part from 0 to <paramref name="parts"/> - 1 and returns when all are done.</summary>
    /// <remarks>When a part throws, parts not yet begun are dropped and the exception is rethrown to the caller.</remarks>
    public static void Run<TState>(int parts, TState state, Action<TState, int> body)
    {
        Job<TState> job = new(parts, state, body);
        for (int i = Math.Min(2 * CpuThreads.Count, parts) - 1; i > 0; i--)
        {
            ThreadPool.UnsafeQueueUserWorkItem(job, preferLocal: false);
        }

        job.Execute();
        job.End();
    }

    private sealed class Job<TState>(int parts, TState state, Action<TState, int> body) : IThreadPoolWorkItem
    {
        private readonly object _lock = new();
        private int _next = -1;
        private int _inside;
        private bool _closed;
        private ExceptionDispatchInfo? _failure;

        public void Execute()
        {
            lock (_lock)
            {
                if (_closed)
                {
                    return;
                }

                _inside++;
            }

            try
            {
                CpuThreads.Alone(this, static job => job.TakeParts());
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
                Volatile.Write(ref _next, parts);
            }

            lock (_lock)
            {
                if (--_inside == 0 && _closed)
                {
                    Monitor.Pulse(_lock);
                }
            }
        }

        private void TakeParts()
        {
            for (int part = Interlocked.Increment(ref _next); part < parts; part = Interlocked.Increment(ref _next))
            {
                body(state, part);
            }
        }

        // Whoever has not begun need not; whoever has is waited for.
        public void End()
        {
            lock (_lock)
            {
                _closed = true;
                while (_inside > 0)
                {
                    Monitor.Wait(_lock);
                }
            }

            _failure?.Throw();
        }
    }
}
