namespace ElderManaged.Tensors.Tests.Storage;

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
}
