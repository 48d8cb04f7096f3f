namespace ElderManaged.Tensors.Tests.Backends.Cpu;

[Collection(CpuThreadsCollection.Name)]
public sealed class CpuThreadsTests : IDisposable
{
    private readonly int _before = CpuThreads.Count;

    public void Dispose() => CpuThreads.Count = _before;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_part_runs_once(int threads)
    {
        CpuThreads.Count = threads;
        for (int parts = 0; parts < 60; parts++)
        {
            int[] hits = new int[parts];
            CpuThreads.Run(parts, hits, static (h, part) => Interlocked.Increment(ref h[part]));
            Assert.All(hits, hit => Assert.Equal(1, hit));
        }
    }

    [Fact]
    public void Two_parts_that_wait_for_each_other_meet()
    {
        CpuThreads.Count = 2;
        using Barrier barrier = new(2);
        CpuThreads.Run(2, barrier, static (b, _) => Assert.True(b.SignalAndWait(TimeSpan.FromSeconds(60))));
    }

    [Fact]
    public void Results_are_visible_to_the_caller_time_and_again()
    {
        CpuThreads.Count = 3;
        long[] sums = new long[7];
        for (int round = 1; round <= 3000; round++)
        {
            CpuThreads.Run(7, (sums, round), static (s, part) => s.sums[part] += s.round);
        }

        Assert.All(sums, sum => Assert.Equal(3000L * 3001 / 2, sum));
    }

    [Fact]
    public void An_exception_reaches_the_caller_and_the_pool_lives_on()
    {
        CpuThreads.Count = 2;
        for (int i = 0; i < 20; i++)
        {
            InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => CpuThreads.Run(8, 0, static (_, part) =>
            {
                if (part == 5)
                {
                    throw new InvalidOperationException("part 5");
                }
            }));
            Assert.Equal("part 5", error.Message);
        }

        Every_part_runs_once(2);
    }

    [Fact]
    public void A_nested_call_runs_on_its_own_thread()
    {
        CpuThreads.Count = 2;
        int[] hits = new int[12];
        CpuThreads.Run(4, hits, static (h, outer) =>
        {
            int thread = Environment.CurrentManagedThreadId;
            CpuThreads.Run(3, (h, outer, thread), static (s, inner) =>
            {
                Assert.Equal(s.thread, Environment.CurrentManagedThreadId);
                Interlocked.Increment(ref s.h[(s.outer * 3) + inner]);
            });
        });
        Assert.All(hits, hit => Assert.Equal(1, hit));
    }

    [Fact]
    public void Calls_from_several_threads_all_finish()
    {
        CpuThreads.Count = 2;
        int total = 0;
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 500; i++)
            {
                int[] hits = new int[5];
                CpuThreads.Run(5, hits, static (h, part) => h[part]++);
                Interlocked.Add(ref total, hits.Sum());
            }
        }))];
        Array.ForEach(callers, t => t.Start());
        Array.ForEach(callers, t => t.Join());
        Assert.Equal(4 * 500 * 5, total);
    }

    [Fact]
    public void Allocates_nothing_once_warm()
    {
        CpuThreads.Count = 2;
        float[] data = new float[64];
        long allocated = 0;
        for (int i = 0; i < 60; i++)
        {
            if (i % 2 == 0)
            {
                Thread.Sleep(2); // long enough for the worker to fall asleep, so that waking it is measured too
            }

            // Over all threads: waking and sleeping must not allocate on the worker's side either.
            long before = GC.GetTotalAllocatedBytes(precise: true);
            CpuThreads.Run(4, data, static (d, part) => d[part] += 1);
            long after = GC.GetTotalAllocatedBytes(precise: true);
            allocated = i < 10 ? 0 : allocated + after - before;
        }

        Assert.True(allocated < 1000, $"{allocated} bytes were allocated in 50 calls.");
    }

    [Fact]
    public void No_thread_at_all_is_refused()
    {
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>(() => CpuThreads.Count = 0);
        Assert.StartsWith("CpuThreads.Count: 0 threads cannot compute; give 1 or more.", error.Message, StringComparison.Ordinal);
    }
}
