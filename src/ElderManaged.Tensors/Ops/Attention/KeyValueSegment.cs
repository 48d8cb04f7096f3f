using System.Buffers;

namespace ElderManaged.Tensors;

/// <summary>
/// The keys and values of the first <see cref="Length"/> positions of one sequence in one layer, after rotary embedding.
/// Grows by appending.
/// </summary>
/// <remarks>
/// <para>
/// Keys lie as the products of attention read them, so that no later position has to turn them again:
/// </para>
/// <code>
///             32 positions                       32 positions                     …
///          ┌────────────────┐                 ┌────────────────┐
///          │ head 0: [D, 32]│                 │ head 0: [D, 32]│      key element (position, column) at
///   Width  │ head 1: [D, 32]│                 │ head 1: [D, 32]│      (position / 32)·32·Width + 32·column + position % 32
///          │ …              │                 │ …              │
///          └────────────────┘                 └────────────────┘
/// </code>
/// <para>
/// Values lie row by row. Room is doubled when it runs out, so appending a position allocates nothing but once in a while; with a
/// capacity it does not at all. Readers may share a segment as long as nobody appends. The memory is freed when nothing refers to
/// the segment any more.
/// </para>
/// <para>
/// Positions appended from tensors on a device lie there, row by row, and come home when the host asks for them; positions of the
/// host are brought to a device when attention there needs them. Each side holds the first so many positions and is completed when used.
/// </para>
/// </remarks>
#pragma warning disable CA1001 // The memory frees itself when nothing refers to it any more; segments are shared freely.
public sealed unsafe class KeyValueSegment
#pragma warning restore CA1001
{
    private const int Panel = AttentionPacking.Panel;

    // Behind the values: kernels read whole registers.
    private const int Margin = 32;

    // Each number of a key goes to a cache line of its own.
    private const double KeysInMicrosecond = 150;

    private readonly Lock moving = new();
    private KeyValueRows? there; // the positions on a device
    private int here; // how many positions the host holds
    private AlignedBuffer? memory; // [capacity / 32, Width, 32] keys, then [capacity, Width] values
    private int capacity;
    private readonly int first; // for how many positions there shall be room, on whichever side the first of them arrive

    /// <summary>An empty segment.</summary>
    /// <param name="width">The numbers of one key or value: key/value heads times head width.</param>
    /// <param name="capacity">For how many positions there shall be room from the first append on.</param>
    public KeyValueSegment(int width, int capacity = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        Width = width;
        first = capacity;
    }

    /// <summary>The width of one key or value row: key/value heads times head width.</summary>
    public int Width { get; }

    /// <summary>The number of positions held.</summary>
    public int Length { get; private set; }

    /// <summary>The memory taken: on the host for whole panels of 32 positions, and on a device.</summary>
    public long Bytes => (2L * sizeof(float) * capacity * Width) + (GpuFeature.IsSupported && there is { } rows ? rows.Bytes : 0);

    /// <summary>The keys' panels; valid while this segment is reachable and nobody appends.</summary>
    internal float* KeyPanels
    {
        get
        {
            BringHome();
            return Panels;
        }
    }

    /// <summary>The rows of values; valid while this segment is reachable and nobody appends.</summary>
    internal float* ValueRows
    {
        get
        {
            BringHome();
            return Rows;
        }
    }

    private float* Panels => memory is null ? null : memory.Pointer;

    private float* Rows => memory is null ? null : memory.Pointer + ((long)capacity * Width);

    /// <summary>One number of a key.</summary>
    public float Key(int position, int column)
    {
        Check(position, column);
        return KeyPanels[((long)(position & -Panel) * Width) + ((long)column * Panel) + (position % Panel)];
    }

    /// <summary>One number of a value.</summary>
    public float Value(int position, int column)
    {
        Check(position, column);
        return ValueRows[((long)position * Width) + column];
    }

    /// <summary>Appends positions.</summary>
    /// <param name="newKeys">Their keys, row by row.</param>
    /// <param name="newValues">Their values, row by row.</param>
    public void Append(ReadOnlySpan<float> newKeys, ReadOnlySpan<float> newValues)
    {
        if (newKeys.Length != newValues.Length || newKeys.Length % Width != 0)
        {
            throw new ArgumentException($"KeyValueSegment: {newKeys.Length} key and {newValues.Length} value numbers for rows of {Width}.");
        }

        BringHome();
        Add(newKeys, newValues);
        Length = here;
    }

    /// <summary>Appends positions from rows of tensors, on the device where those lie.</summary>
    /// <param name="newKeys">[rows, <see cref="Width"/>].</param>
    /// <param name="newValues">[rows, <see cref="Width"/>].</param>
    /// <param name="firstRow">The first row to append.</param>
    /// <param name="count">How many rows to append.</param>
    public void Append(Tensor newKeys, Tensor newValues, int firstRow, int count)
    {
        ArgumentNullException.ThrowIfNull(newKeys);
        ArgumentNullException.ThrowIfNull(newValues);
        if (newKeys.Columns != Width || newValues.Columns != Width || firstRow < 0 || count < 0 || firstRow + (long)count > Math.Min(newKeys.Rows, newValues.Rows))
        {
            throw new ArgumentException($"KeyValueSegment: rows {firstRow} to {firstRow + (long)count} of keys {newKeys.Shape} and values {newValues.Shape} for rows of {Width}.");
        }

        if (GpuFeature.IsSupported && newKeys.Gpu is { } gpu)
        {
            On(gpu).Append(newKeys, newValues, firstRow, count);
            Length += count;
            return;
        }

        Append(newKeys.ReadOnlySpan.Slice(firstRow * Width, count * Width), newValues.ReadOnlySpan.Slice(firstRow * Width, count * Width));
    }

    /// <summary>All positions in a device's memory, brought there if they are not.</summary>
    internal KeyValueRows On(GpuDevice gpu)
    {
        lock (moving)
        {
            if (there is null || there.Gpu != gpu)
            {
                BringHome();
                there = new KeyValueRows(gpu, Width, first);
            }

            int missing = Length - there.Length;
            if (missing > 0)
            {
                float[] keys = ArrayPool<float>.Shared.Rent(missing * Width);
                for (int p = 0; p < missing; p++)
                {
                    int position = there.Length + p;
                    float* panel = Panels + ((long)(position & -Panel) * Width) + (position % Panel);
                    for (int c = 0; c < Width; c++)
                    {
                        keys[(p * Width) + c] = panel[c * Panel];
                    }
                }

                there.Append(keys.AsSpan(0, missing * Width), new ReadOnlySpan<float>(Rows + ((long)there.Length * Width), missing * Width));
                ArrayPool<float>.Shared.Return(keys);
            }

            return there;
        }
    }

    /// <summary>Forgets all positions from <paramref name="length"/> on.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
        here = Math.Min(here, length);
        if (GpuFeature.IsSupported)
        {
            there?.Truncate(length);
        }
    }

    /// <summary>A copy of the first <paramref name="length"/> positions, which may grow on its own.</summary>
    /// <param name="length">How many positions are kept.</param>
    /// <param name="room">For how many more there shall be room at once.</param>
    public KeyValueSegment Prefix(int length, int room = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        if (GpuFeature.IsSupported && there is { } rows && rows.Length >= length && here < length)
        {
            return new KeyValueSegment(Width) { there = rows.Prefix(length, room), Length = length };
        }

        KeyValueSegment copy = new(Width, length + room);
        copy.Reserve(length + room);
        copy.Fill(KeyPanels, ValueRows, length);
        copy.Length = length;
        GC.KeepAlive(this);
        return copy;
    }

    private void Reserve(int wanted)
    {
        if (wanted <= capacity)
        {
            return;
        }

        AlignedBuffer? before = memory;
        float* keys = Panels;
        float* values = Rows;
        capacity = checked(wanted + Panel - 1) & -Panel;
        memory = new AlignedBuffer((2L * capacity * Width) + Margin);
        Fill(keys, values, here);
        before?.Dispose();
    }

    private void Add(ReadOnlySpan<float> newKeys, ReadOnlySpan<float> newValues)
    {
        int count = newKeys.Length / Width;
        if (here + count > capacity)
        {
            Reserve(Math.Max(Math.Max(first, here + count), 2 * capacity));
        }

        newValues.CopyTo(new Span<float>(Rows + ((long)here * Width), newValues.Length));
        fixed (float* rows = newKeys)
        {
            // As many parts as threads: they go to those that have just read the same columns of the panels, which have them in their caches.
            int parts = CpuThreads.AreWorth(newKeys.Length / KeysInMicrosecond) ? CpuThreads.Count : 1;
            Turning turning = new() { Rows = rows, Width = Width, Count = count, Panels = Panels, At = here, Parts = parts };
            CpuThreads.Run(parts, turning, static (t, part) => t.Run(part));
        }

        here += count;
    }

    private void BringHome()
    {
        if (GpuFeature.IsSupported && here < Length)
        {
            lock (moving)
            {
                int missing = Length - here;
                if (missing > 0)
                {
                    float[] keys = ArrayPool<float>.Shared.Rent(Length * Width);
                    float[] values = ArrayPool<float>.Shared.Rent(Length * Width);
                    there!.Download(keys, values);
                    Add(keys.AsSpan(here * Width, missing * Width), values.AsSpan(here * Width, missing * Width));
                    ArrayPool<float>.Shared.Return(keys);
                    ArrayPool<float>.Shared.Return(values);
                }
            }
        }
    }

    // The rest of the panels is zero: whole registers are read of a panel that is not full, and what lies there by chance might
    // be subnormal numbers, which are slow.
    private void Fill(float* keys, float* values, int length)
    {
        long used = (long)((length + Panel - 1) & -Panel) * Width;
        Copy(keys, Panels, used);
        for (long i = used; i < (long)capacity * Width; i += Panel)
        {
            new Span<float>(Panels + i, Panel).Clear();
        }

        Copy(values, Rows, (long)length * Width);
        here = length;
    }

    private static void Copy(float* source, float* target, long count) =>
        Buffer.MemoryCopy(source, target, count * sizeof(float), count * sizeof(float));

    private void Check(int position, int column)
    {
        if ((uint)position >= (uint)Length || (uint)column >= (uint)Width)
        {
            throw new ArgumentOutOfRangeException(nameof(position), $"KeyValueSegment: position {position}, column {column} of {Length} positions of width {Width}.");
        }
    }

    // Rows of keys on their way into the panels.
    private struct Turning
    {
        public float* Rows;
        public int Width;
        public int Count;
        public float* Panels;
        public int At;
        public int Parts;

        public readonly void Run(int part) => AttentionPacking.AppendTurned(Rows, Width, Column(part), Column(part + 1), Count, Panels, At);

        // Whole lines of a row, so that heads stay together.
        private readonly int Column(int part) => part == Parts ? Width : (int)((long)Width * part / Parts) & -16;
    }
}
