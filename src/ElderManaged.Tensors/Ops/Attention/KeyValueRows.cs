using System.Buffers;
using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>
/// A device's memory of a <see cref="KeyValueSegment"/>: keys and values, both row by row. Room is doubled when it runs out, by a copy
/// within the device; the first is for <c>room</c> positions at least.
/// </summary>
internal sealed class KeyValueRows(GpuDevice gpu, int width, int room)
{
    private GpuMemory? keys, values;
    private int capacity;

    /// <summary>The device.</summary>
    public GpuDevice Gpu => gpu;

    /// <summary>How many positions lie here.</summary>
    public int Length { get; private set; }

    /// <summary>The memory taken.</summary>
    public long Bytes => 2L * sizeof(float) * capacity * width;

    /// <summary>[positions, width].</summary>
    public ArrayView<float> Keys => keys!.Floats;

    /// <summary>[positions, width].</summary>
    public ArrayView<float> Values => values!.Floats;

    /// <summary>Appends rows of tensors; those that do not lie on the device are brought there.</summary>
    public void Append(Tensor newKeys, Tensor newValues, int firstRow, int count)
    {
        if (count == 0)
        {
            return;
        }

        Reserve(Length + count, Math.Max(Math.Max(room, Length + count), 2 * capacity));
        gpu.Copy(gpu.Read(newKeys).SubView((long)firstRow * width, (long)count * width), Keys.SubView((long)Length * width, (long)count * width));
        gpu.Copy(gpu.Read(newValues).SubView((long)firstRow * width, (long)count * width), Values.SubView((long)Length * width, (long)count * width));
        Length += count;
    }

    /// <summary>Appends rows from the host.</summary>
    public void Append(ReadOnlySpan<float> newKeys, ReadOnlySpan<float> newValues)
    {
        int count = newKeys.Length / width;
        Reserve(Length + count, Math.Max(Math.Max(room, Length + count), 2 * capacity));
        long start = sizeof(float) * (long)Length * width;
        keys!.Upload(start, System.Runtime.InteropServices.MemoryMarshal.AsBytes(newKeys));
        values!.Upload(start, System.Runtime.InteropServices.MemoryMarshal.AsBytes(newValues));
        Length += count;
    }

    /// <summary>Forgets all positions from <paramref name="length"/> on.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    /// <summary>A copy of the first positions with room for more.</summary>
    public KeyValueRows Prefix(int length, int more)
    {
        KeyValueRows copy = new(gpu, width, length + more);
        if (length + more > 0)
        {
            copy.Reserve(length + more, length + more);
            copy.Fill(keys, values, length);
        }

        return copy;
    }

    /// <summary>Copies all positions to the host.</summary>
    public void Download(Span<float> toKeys, Span<float> toValues)
    {
        keys!.Download(toKeys[..(Length * width)]);
        values!.Download(toValues[..(Length * width)]);
    }

    private void Reserve(int needed, int wanted)
    {
        if (needed <= capacity)
        {
            return;
        }

        GpuMemory? oldKeys = keys, oldValues = values;
        capacity = wanted;
        keys = gpu.AllocateBytes(sizeof(float) * (long)wanted * width);
        values = gpu.AllocateBytes(sizeof(float) * (long)wanted * width);
        Fill(oldKeys, oldValues, Length);
        oldKeys?.Free();
        oldValues?.Free();
    }

    private void Fill(GpuMemory? fromKeys, GpuMemory? fromValues, int length)
    {
        long count = (long)length * width;
        if (count > 0)
        {
            gpu.Copy(fromKeys!.Floats.SubView(0, count), Keys.SubView(0, count));
            gpu.Copy(fromValues!.Floats.SubView(0, count), Values.SubView(0, count));
        }

        Length = length;
    }
}
