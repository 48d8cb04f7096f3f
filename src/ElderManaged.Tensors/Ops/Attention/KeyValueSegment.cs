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
/// </remarks>
#pragma warning disable CA1001 // The memory frees itself when nothing refers to it any more; segments are shared freely.
public sealed unsafe class KeyValueSegment
#pragma warning restore CA1001
{
    private const int Panel = AttentionPacking.Panel;

    // Behind the values: kernels read whole registers.
    private const int Margin = 32;

    private AlignedBuffer? memory; // [capacity / 32, Width, 32] keys, then [capacity, Width] values
    private int capacity;

    /// <summary>An empty segment.</summary>
    /// <param name="width">The numbers of one key or value: key/value heads times head width.</param>
    /// <param name="capacity">For how many positions there shall be room at once.</param>
    public KeyValueSegment(int width, int capacity = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        Width = width;
        Reserve(capacity);
    }

    /// <summary>The width of one key or value row: key/value heads times head width.</summary>
    public int Width { get; }

    /// <summary>The number of positions held.</summary>
    public int Length { get; private set; }

    /// <summary>The memory taken, which is for whole panels of 32 positions.</summary>
    public long Bytes => 2L * sizeof(float) * capacity * Width;

    /// <summary>The keys' panels; valid while this segment is reachable and nobody appends.</summary>
    internal float* KeyPanels => memory is null ? null : memory.Pointer;

    /// <summary>The rows of values; valid while this segment is reachable and nobody appends.</summary>
    internal float* ValueRows => memory is null ? null : memory.Pointer + ((long)capacity * Width);

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

        int count = newKeys.Length / Width;
        if (Length + count > capacity)
        {
            Reserve(Math.Max(Length + count, 2 * capacity));
        }

        newValues.CopyTo(new Span<float>(ValueRows + ((long)Length * Width), newValues.Length));
        fixed (float* rows = newKeys)
        {
            AttentionPacking.AppendTurned(rows, Width, count, KeyPanels, Length);
        }

        Length += count;
    }

    /// <summary>Forgets all positions from <paramref name="length"/> on.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>A copy of the first <paramref name="length"/> positions, which may grow on its own.</summary>
    /// <param name="length">How many positions are kept.</param>
    /// <param name="room">For how many more there shall be room at once.</param>
    public KeyValueSegment Prefix(int length, int room = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        KeyValueSegment copy = new(Width, length + room);
        copy.Fill(KeyPanels, ValueRows, length);
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
        float* keys = KeyPanels;
        float* values = ValueRows;
        capacity = checked(wanted + Panel - 1) & -Panel;
        memory = new AlignedBuffer((2L * capacity * Width) + Margin);
        Fill(keys, values, Length);
        before?.Dispose();
    }

    // The rest of the panels is zero: whole registers are read of a panel that is not full, and what lies there by chance might
    // be subnormal numbers, which are slow.
    private void Fill(float* keys, float* values, int length)
    {
        long used = (long)((length + Panel - 1) & -Panel) * Width;
        Copy(keys, KeyPanels, used);
        for (long i = used; i < (long)capacity * Width; i += Panel)
        {
            new Span<float>(KeyPanels + i, Panel).Clear();
        }

        Copy(values, ValueRows, (long)length * Width);
        Length = length;
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
}
