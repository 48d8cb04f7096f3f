namespace ElderManaged.Tensors.Tests.Storage;

[Collection(CpuThreadsCollection.Name)] // runs alone: memory is the whole process's
public sealed class BufferPoolTests
{
    [Fact]
    public void WhatASteadyLoopUsesStaysAndWhatNoScopeNeedsAnyMoreGoes()
    {
        BufferPool pool = new();
        void Scope(int large)
        {
            FloatBuffer[] rented = [pool.Rent(100), pool.Rent(100), .. Enumerable.Range(0, large).Select(_ => pool.Rent(100_000))];
            foreach (FloatBuffer buffer in rented)
            {
                pool.Return(buffer);
            }

            pool.EndScope();
        }

        Scope(large: 3);
        long first = pool.AllocatedBytes;
        for (int i = 0; i < 3 * BufferPool.Patience; i++)
        {
            Scope(large: 1);
        }

        Assert.Equal(first, pool.AllocatedBytes);
        Scope(large: 3); // two of the large ones had not been needed for long
        Assert.Equal(first + (2L * sizeof(float) * BufferPool.SizeClass(100_000)), pool.AllocatedBytes);
    }

    [Fact]
    public async Task ALargeStepDoesNotKeepItsMemoryForEver()
    {
        const int Length = 16 << 20;
        await Task.Factory.StartNew(
            () =>
            {
                using (Tape.Start(record: false))
                {
                    Tape.NewTensor(new Shape(Length)).Span.Clear();
                }

                long large = GC.GetTotalMemory(forceFullCollection: true);
                for (int i = 0; i < 2 * BufferPool.Patience; i++)
                {
                    using Tape tape = Tape.Start(record: false);
                    Tape.NewTensor(new Shape(10)).Span.Clear();
                }

                long small = GC.GetTotalMemory(forceFullCollection: true);
                Assert.True(large - small > Length * sizeof(float) / 2, $"{large} bytes after the large step, {small} after many small ones.");
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning, // a thread, hence tapes and pools, of its own
            TaskScheduler.Default);
    }
}
