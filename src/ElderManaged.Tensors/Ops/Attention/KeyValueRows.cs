using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>
/// The positions of a <see cref="KeyValueSegment"/> on a device, in pages that go back when nothing refers to this object any more.
/// The first that are taken are enough for <c>room</c> positions.
/// </summary>
internal sealed class KeyValueRows(GpuDevice gpu, int width, int room)
{
    private readonly KeyValuePages memory = gpu.KeysAndValues(width);
    private int[] pages = [];

    ~KeyValueRows() => memory.Return(pages);

    /// <summary>The device.</summary>
    public GpuDevice Gpu => gpu;

    /// <summary>How many positions lie here.</summary>
    public int Length { get; private set; }

    /// <summary>The memory taken.</summary>
    public long Bytes => 2L * sizeof(float) * pages.Length * KeyValuePages.Positions * width;

    /// <summary>The numbers of the pages, in the order of positions.</summary>
    public ReadOnlySpan<int> Pages => pages;

    /// <summary>Appends rows of tensors; those that do not lie on the device are brought there.</summary>
    public void Append(Tensor newKeys, Tensor newValues, int firstRow, int count)
    {
        ArrayView<float> fromKeys = gpu.Read(newKeys), fromValues = gpu.Read(newValues);
        lock (gpu.Gate)
        {
            Reserve(Length + count);
            for (int done = 0; done < count;)
            {
                (int page, int position, int rows) = Next(count - done);
                long from = (firstRow + done) * (long)width, to = At(page, position), numbers = rows * (long)width;
                gpu.Copy(fromKeys.SubView(from, numbers), memory.Keys.SubView(to, numbers));
                gpu.Copy(fromValues.SubView(from, numbers), memory.Values.SubView(to, numbers));
                (Length, done) = (Length + rows, done + rows);
            }
        }
    }

    /// <summary>Appends rows from the host.</summary>
    public void Append(ReadOnlySpan<float> newKeys, ReadOnlySpan<float> newValues)
    {
        lock (gpu.Gate)
        {
            int count = newKeys.Length / width;
            Reserve(Length + count);
            for (int done = 0; done < count;)
            {
                (int page, int position, int rows) = Next(count - done);
                memory.Upload(page, position, newKeys.Slice(done * width, rows * width), newValues.Slice(done * width, rows * width));
                (Length, done) = (Length + rows, done + rows);
            }
        }
    }

    /// <summary>Forgets all positions from <paramref name="length"/> on.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    /// <summary>A copy of the first positions with room for more.</summary>
    public KeyValueRows Prefix(int length, int more)
    {
        KeyValueRows copy = new(gpu, width, length + more);
        lock (gpu.Gate)
        {
            copy.Reserve(length + more);
            while (copy.Length < length)
            {
                (int page, int position, int rows) = copy.Next(length - copy.Length);
                long from = At(pages[copy.Length / KeyValuePages.Positions], position), to = At(page, position), numbers = rows * (long)width;
                gpu.Copy(memory.Keys.SubView(from, numbers), memory.Keys.SubView(to, numbers));
                gpu.Copy(memory.Values.SubView(from, numbers), memory.Values.SubView(to, numbers));
                copy.Length += rows;
            }
        }

        GC.KeepAlive(this);
        return copy;
    }

    /// <summary>Copies all positions to the host.</summary>
    public void Download(Span<float> toKeys, Span<float> toValues)
    {
        lock (gpu.Gate)
        {
            for (int done = 0; done < Length; done += KeyValuePages.Positions)
            {
                int numbers = Math.Min(KeyValuePages.Positions, Length - done) * width;
                memory.Download(pages[done / KeyValuePages.Positions], toKeys.Slice(done * width, numbers), toValues.Slice(done * width, numbers));
            }
        }
    }

    // Where the next positions go: a page, the first in it, and how many it has room for.
    private (int Page, int Position, int Rows) Next(int wanted)
    {
        int position = Length % KeyValuePages.Positions;
        return (pages[Length / KeyValuePages.Positions], position, Math.Min(wanted, KeyValuePages.Positions - position));
    }

    private long At(int page, int position) => (((long)page * KeyValuePages.Positions) + position) * width;

    private void Reserve(int needed)
    {
        if (needed > pages.Length * KeyValuePages.Positions)
        {
            int wanted = (Math.Max(needed, room) + KeyValuePages.Positions - 1) / KeyValuePages.Positions;
            int[] taken = new int[wanted - pages.Length];
            memory.Take(taken);
            pages = [.. pages, .. taken];
        }
    }
}
