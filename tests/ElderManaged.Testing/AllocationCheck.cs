namespace ElderManaged.Testing;

/// <summary>What a hot loop promises: once it is warm, repeating it allocates nothing.</summary>
public static class AllocationCheck
{
    private const int Rounds = 5, Repeats = 20;

    /// <summary>
    /// Repeats an action in rounds and wants one without any allocation on this thread. What the runtime allocates once,
    /// when it compiles better code or first wakes a sleeping thread, may fall into some round; what the action allocates
    /// each time falls into all.
    /// </summary>
    public static void AllocatesNothing(Action action)
    {
        long least = long.MaxValue;
        for (int round = 0; round < Rounds && least > 0; round++)
        {
            Thread.Sleep(2); // the other threads fall asleep, so that waking them is part of the round
            action();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Repeats; i++)
            {
                action();
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(least == 0, $"{Repeats} repetitions allocate at least {least} bytes in each of {Rounds} rounds.");
    }
}
