namespace ElderManaged.Tensors.Tests;

/// <summary>What a training loop relies on: repeated steps allocate nothing.</summary>
internal static class SteadyState
{
    /// <summary>Runs a step inside a tape until all pools are filled, then 20 times more, which must not allocate.</summary>
    public static void AllocatesNothing(Func<Tensor> step)
    {
        for (int i = 0; i < 10; i++)
        {
            Run(step);
            Thread.Sleep(2); // The other threads fall asleep, so that waking them is warmed up too.
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
        {
            Run(step);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void Run(Func<Tensor> step)
    {
        using Tape tape = Tape.Start();
        Tensor y = step();
        Tensor dy = Tape.NewTensor(y.Shape);
        dy.Span.Fill(0.5f);
        tape.Backward(y, dy.Span);
    }
}
