using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>
/// A device's memory for keys and values of one width, in pages of 32 positions that segments take and give back: all of them lie
/// in the same two blocks of memory, so one kernel reads the past of every sequence of a batch by the numbers of its pages
/// (Kwon et al. 2023).
/// </summary>
/// <remarks>
/// <code>
///                page 0     page 1     page 2     page 3    …
///   keys      [32, width] [32, width] [32, width] [32, width]
///   values    [32, width] [32, width] [32, width] [32, width]      segment A: pages 0, 2      segment B: page 1
/// </code>
/// When no page is free, the memory moves to a larger one, half as large again, and the pages keep their numbers. Hold
/// <see cref="GpuDevice.Gate"/> from asking for a view until the last work on it has been asked for.
/// </remarks>
internal sealed class KeyValuePages(GpuDevice gpu, int width)
{
    /// <summary>Positions of a page.</summary>
    public const int Positions = 32;

    private const int FewestPages = 16;
    private readonly Lock guard = new();
    private readonly Stack<int> free = new();
    private GpuMemory? keys, values;
    private int count;

    /// <summary>[pages · 32, width].</summary>
    public ArrayView<float> Keys => keys!.Floats;

    /// <summary>[pages · 32, width].</summary>
    public ArrayView<float> Values => values!.Floats;

    private long PageBytes => sizeof(float) * (long)Positions * width;

    /// <summary>Takes pages that nobody uses.</summary>
    public void Take(Span<int> pages)
    {
        lock (gpu.Gate)
        {
            int missing;
            lock (guard)
            {
                missing = pages.Length - free.Count;
            }

            if (missing > 0)
            {
                Grow(count + Math.Max(missing, Math.Max(FewestPages, count / 2)));
            }

            lock (guard)
            {
                foreach (ref int page in pages)
                {
                    page = free.Pop();
                }
            }
        }
    }

    /// <summary>Gives pages back; their next user writes them after everything that was asked for before.</summary>
    public void Return(ReadOnlySpan<int> pages)
    {
        lock (guard)
        {
            foreach (int page in pages)
            {
                free.Push(page);
            }
        }
    }

    /// <summary>Copies rows of host memory to positions of a page.</summary>
    public void Upload(int page, int position, ReadOnlySpan<float> newKeys, ReadOnlySpan<float> newValues)
    {
        long start = (page * PageBytes) + (sizeof(float) * (long)position * width);
        keys!.Upload(start, System.Runtime.InteropServices.MemoryMarshal.AsBytes(newKeys));
        values!.Upload(start, System.Runtime.InteropServices.MemoryMarshal.AsBytes(newValues));
    }

    /// <summary>Copies the first positions of a page to the host.</summary>
    public void Download(int page, Span<float> toKeys, Span<float> toValues)
    {
        keys!.Download(page * (PageBytes / sizeof(float)), toKeys);
        values!.Download(page * (PageBytes / sizeof(float)), toValues);
    }

    private void Grow(int wanted)
    {
        GpuMemory newKeys = gpu.AllocateBytes(wanted * PageBytes), newValues = gpu.AllocateBytes(wanted * PageBytes);
        long used = count * PageBytes / sizeof(float);
        if (used > 0)
        {
            gpu.Copy(keys!.Floats.SubView(0, used), newKeys.Floats.SubView(0, used));
            gpu.Copy(values!.Floats.SubView(0, used), newValues.Floats.SubView(0, used));
            keys.Discard();
            values.Discard();
        }

        (keys, values) = (newKeys, newValues);
        lock (guard)
        {
            for (int page = wanted - 1; page >= count; page--)
            {
                free.Push(page);
            }
        }

        count = wanted;
    }
}
