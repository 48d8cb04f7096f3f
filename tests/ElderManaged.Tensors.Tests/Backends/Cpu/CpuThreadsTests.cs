namespace ElderManaged.Tensors.Tests.Backends.Cpu;

[Collection(CpuThreadsCollection.Name)]
public sealed class CpuThreadsTests : IDisposable
{
    private readonly int _before = CpuThreads.Count, _spinBefore = CpuThreads.SpinMicroseconds;

    public void Dispose() => (CpuThreads.Count, CpuThreads.SpinMicroseconds) = (_before, _spinBefore);

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
    public void Each_thread_begins_with_its_own_parts()
    {
        CpuThreads.Count = 2;
        int[] threads = new int[8];
        using Barrier all = new(2);
        CpuThreads.Run(8, (threads, all), static (s, part) =>
        {
            s.threads[part] = Environment.CurrentManagedThreadId;
            Assert.True(s.all.SignalAndWait(TimeSpan.FromSeconds(60))); // in step: neither comes to help the other
        });
        int caller = Environment.CurrentManagedThreadId;
        Assert.All(threads[..4], thread => Assert.Equal(caller, thread));
        Assert.All(threads[4..], thread => Assert.Equal(threads[4], thread));
        Assert.NotEqual(caller, threads[4]);
    }

    [Fact]
    public void Who_is_done_helps_the_other()
    {
        CpuThreads.Count = 2;
        using CountdownEvent others = new(7);
        CpuThreads.Run(8, others, static (o, part) =>
        {
            // The first part of the caller's share ends only when all others have, so a worker must have taken the caller's.
            if (part == 0)
            {
                Assert.True(o.Wait(TimeSpan.FromSeconds(60)));
            }
            else
            {
                o.Signal();
            }
        });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(200)]
    [InlineData(20_000)]
    public void Idle_workers_fall_asleep_and_wake_again(int spinMicroseconds)
    {
        CpuThreads.Count = 2;
        CpuThreads.SpinMicroseconds = spinMicroseconds;
        for (int i = 0; i < 20; i++)
        {
            // Only a worker that is there lets this end.
            Two_parts_that_wait_for_each_other_meet();
            Assert.True(SpinWait.SpinUntil(() => !CpuThreads.AreAwake, TimeSpan.FromSeconds(60)), "A worker without work did not fall asleep.");
        }
    }

    [Fact]
    public void Short_work_is_shared_with_who_is_awake_or_when_it_adds_up()
    {
        CpuThreads.Count = 2;
        Two_parts_that_wait_for_each_other_meet();
        Assert.True(CpuThreads.AreWorth(1000));
        Assert.True(SpinWait.SpinUntil(() => !CpuThreads.AreAwake, TimeSpan.FromSeconds(60)));
        Assert.True(CpuThreads.AreWorth(1000));
        CpuThreads.SpinMicroseconds = 1_000_000; // whatever happens meanwhile, it follows closely
        Assert.Equal([false, false, false, true, true], Ask(5, 16));
        Assert.Equal([false, false], Ask(2, 1));
        CpuThreads.SpinMicroseconds = 0; // nothing does
        Assert.DoesNotContain(true, Ask(100, 16));
        CpuThreads.Count = 1;
        Assert.Equal([false], Ask(1, 1000));

        // Each time on a thread that has done no work before.
        static bool[] Ask(int times, double microseconds)
        {
            bool[] answers = new bool[times];
            Thread asking = new(() =>
            {
                for (int i = 0; i < times; i++)
                {
                    answers[i] = CpuThreads.AreWorth(microseconds);
                }
            });
            asking.Start();
            asking.Join();
            return answers;
        }
    }

    [Fact]
    public void More_threads_than_processors_work_too()
    {
        CpuThreads.Count = Environment.ProcessorCount + 3;
        for (int i = 0; i < 50; i++)
        {
            int[] hits = new int[40];
            CpuThreads.Run(40, hits, static (h, part) => Interlocked.Increment(ref h[part]));
            Assert.All(hits, hit => Assert.Equal(1, hit));
        }
    }

    [Fact]
    public void After_an_exception_no_further_part_begins()
    {
        CpuThreads.Count = 2;
        int begun = 0;
        Assert.Throws<OperationCanceledException>(() => CpuThreads.Run(100_000, 0, (_, _) =>
        {
            Interlocked.Increment(ref begun);
            throw new OperationCanceledException();
        }));
        Assert.InRange(begun, 1, 4); // each thread may have taken one more before it saw that nothing is left
    }

    [Fact]
    public void Spinning_for_longer_than_a_second_is_refused()
    {
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>(() => CpuThreads.SpinMicroseconds = 1_000_001);
        Assert.StartsWith("CpuThreads.SpinMicroseconds: 1000001 is not from 0 to 1,000,000.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_thread_at_all_is_refused()
    {
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>(() => CpuThreads.Count = 0);
        Assert.StartsWith("CpuThreads.Count: 0 threads cannot compute; give 1 or more.", error.Message, StringComparison.Ordinal);
    }
}
