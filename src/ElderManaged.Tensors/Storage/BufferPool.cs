using System.Numerics;

namespace ElderManaged.Tensors;

/// <summary>
/// Keeps returned <see cref="FloatBuffer"/>s by size class for the next step. Size classes are a quarter of a power of
/// two apart, so at most a fifth of a buffer is unused. Belongs to one <see cref="Tape"/>, hence to one thread.
/// </summary>
internal sealed class BufferPool
{
    private readonly Dictionary<int, Stack<FloatBuffer>> free = [];

    /// <summary>Bytes ever allocated by this pool; constant in a steady loop.</summary>
    public long AllocatedBytes { get; private set; }

    public FloatBuffer Rent(int length)
    {
        int size = SizeClass(length);
        if (free.TryGetValue(size, out Stack<FloatBuffer>? stack) && stack.TryPop(out FloatBuffer? buffer))
        {
            buffer.Users = 1;
            return buffer;
        }

        AllocatedBytes += size * (long)sizeof(float);
        return new FloatBuffer(size, zeroed: false);
    }

    public void Return(FloatBuffer buffer)
    {
        if (!free.TryGetValue(buffer.Capacity, out Stack<FloatBuffer>? stack))
        {
            free[buffer.Capacity] = stack = new Stack<FloatBuffer>();
        }

        stack.Push(buffer);
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
}
