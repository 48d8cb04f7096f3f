using System.Numerics;

namespace ElderManaged.Tensors;

/// <summary>
/// Keeps returned <see cref="FloatBuffer"/>s by size class for the next step. Size classes are a quarter of a power of
/// two apart, so at most a fifth of a buffer is unused. Belongs to one <see cref="Tape"/>, hence to one thread.
/// </summary>
/// <remarks>
/// What a loop needs stays; what no scope has needed for <see cref="Patience"/> scopes is let go, so one large step does not
/// hold its memory for ever.
/// </remarks>
internal sealed class BufferPool
{
    /// <summary>Longer than the longest loop between two preparations that need more.</summary>
    internal const int Patience = 512;

    private readonly Dictionary<int, SizedStack> free = [];
    private int scopes;

    /// <summary>Bytes ever allocated by this pool; constant in a steady loop.</summary>
    public long AllocatedBytes { get; private set; }

    public FloatBuffer Rent(int length)
    {
        int size = SizeClass(length);
        if (free.TryGetValue(size, out SizedStack? stack) && stack.Buffers.TryPop(out FloatBuffer? buffer))
        {
            stack.Spare = Math.Min(stack.Spare, stack.Buffers.Count);
            buffer.Users = 1;
            return buffer;
        }

        AllocatedBytes += size * (long)sizeof(float);
        return new FloatBuffer(size, zeroed: false);
    }

    public void Return(FloatBuffer buffer)
    {
        if (!free.TryGetValue(buffer.Capacity, out SizedStack? stack))
        {
            free[buffer.Capacity] = stack = new SizedStack();
        }

        buffer.Forget();
        stack.Buffers.Push(buffer);
    }

    /// <summary>Tells that a scope has ended and everything it rented is back.</summary>
    public void EndScope()
    {
        if (++scopes < Patience)
        {
            return;
        }

        scopes = 0;
        foreach (SizedStack stack in free.Values)
        {
            for (; stack.Spare > 0; stack.Spare--)
            {
                stack.Buffers.Pop();
            }

            stack.Spare = stack.Buffers.Count;
        }
    }

    internal static int SizeClass(int length)
    {
        if (length <= 16)
        {
            return 16;
        }

        int quarter = Math.Max(16, 1 << (BitOperations.Log2((uint)(length - 1)) - 2));
        long rounded = (((long)length + quarter - 1) / quarter) * quarter;
        return (int)Math.Min(rounded, Array.MaxLength - 64);
    }

    private sealed class SizedStack
    {
        public Stack<FloatBuffer> Buffers { get; } = new();

        /// <summary>How many buffers lay here all the time since this was last counted.</summary>
        public int Spare { get; set; }
    }
}
