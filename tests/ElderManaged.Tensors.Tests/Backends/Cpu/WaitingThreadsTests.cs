namespace ElderManaged.Tensors.Tests.Backends.Cpu;

[Collection(CpuThreadsCollection.Name)]
public sealed class WaitingThreadsTests
{
    [Fact]
    public void Every_part_runs_once_and_is_done_at_the_end()
    {
        for (int parts = 0; parts < 200; parts++)
        {
            int[] hits = new int[parts];
            WaitingThreads.Run(parts, hits, static (h, part) => Interlocked.Increment(ref h[part]));
            Assert.All(hits, hit => Assert.Equal(1, hit));
        }
    }

    [Fact]
    public void A_part_that_waits_does_not_keep_the_others()
    {
        using Barrier barrier = new(2);
        WaitingThreads.Run(2, barrier, static (b, _) => Assert.True(b.SignalAndWait(TimeSpan.FromSeconds(60))));
    }

    [Fact]
    public void A_failure_reaches_the_caller_when_nobody_works_any_more()
    {
        int inside = 0;
        for (int round = 0; round < 50; round++)
        {
            Exception? failure = Record.Exception(() => WaitingThreads.Run(100, 0, (_, part) =>
            {
                Interlocked.Increment(ref inside);
                try
                {
                    if (part == 7)
                    {
                        throw new InvalidOperationException("seven");
                    }

                    Thread.Yield();
                }
                finally
                {
                    Interlocked.Decrement(ref inside);
                }
            }));
            Assert.Equal("seven", Assert.IsType<InvalidOperationException>(failure).Message);
            Assert.Equal(0, Volatile.Read(ref inside));
        }
    }

    [Fact]
    public void What_a_part_runs_in_parts_stays_on_its_thread()
    {
        int elsewhere = 0;
        WaitingThreads.Run(8, 0, (_, _) =>
        {
            int thread = Environment.CurrentManagedThreadId;
            CpuThreads.Run(16, 0, (_, _) => Interlocked.Add(ref elsewhere, Environment.CurrentManagedThreadId == thread ? 0 : 1));
        });
        Assert.Equal(0, elsewhere);
    }
}
