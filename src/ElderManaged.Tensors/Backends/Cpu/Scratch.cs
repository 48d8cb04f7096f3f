namespace ElderManaged.Tensors;

/// <summary>A block of working memory for each thread, which grows to the largest size asked for and stays.</summary>
internal static unsafe class Scratch
{
    [ThreadStatic]
    private static FloatBuffer? t_buffer;

    /// <summary>
    /// Room for <paramref name="count"/> floats, 64-byte aligned, with undefined contents; valid until the next call on this thread.
    /// </summary>
    public static float* Take(int count)
    {
        if (t_buffer is null || t_buffer.Capacity < count)
        {
            t_buffer = new FloatBuffer(BufferPool.SizeClass(Math.Max(count, 4096)), zeroed: false);
        }

        return t_buffer.Pointer;
    }
}
