namespace ElderManaged.Tensors;

/// <summary>
/// How the rows of a packed batch belong to sequences of different lengths, without padding: sequence s owns the rows
/// <c>Start[s] … Start[s] + Length[s] − 1</c>, whose positions are <c>Past[s], Past[s] + 1, …</c>; the keys and values of
/// the <c>Past[s]</c> positions before are given separately (a cache).
/// </summary>
/// <remarks>
/// Immutable for all who read it; a loop that owns a layout may <see cref="Set"/> it anew once nothing uses it any more, which
/// allocates only when it grows.
/// </remarks>
public sealed class SequenceLayout
{
    private int[] starts = [], lengths = [], past = [], positions = [], owners = []; // at least as long as needed

    /// <summary>A layout of consecutive sequences.</summary>
    /// <param name="lengths">Rows of each sequence.</param>
    /// <param name="past">Positions already computed for each sequence; none when empty.</param>
    public SequenceLayout(ReadOnlySpan<int> lengths, ReadOnlySpan<int> past = default) => Set(lengths, past);

    /// <summary>Makes this the layout of other sequences. No tape that still runs may use it.</summary>
    /// <param name="lengths">Rows of each sequence.</param>
    /// <param name="past">Positions already computed for each sequence; none when empty.</param>
    public void Set(ReadOnlySpan<int> lengths, ReadOnlySpan<int> past = default)
    {
        if (past.Length != 0 && past.Length != lengths.Length)
        {
            throw new ArgumentException($"SequenceLayout: {lengths.Length} lengths but {past.Length} past counts.");
        }

        int rows = 0;
        for (int s = 0; s < lengths.Length; s++)
        {
            int before = past.Length == 0 ? 0 : past[s];
            if (lengths[s] < 0 || before < 0)
            {
                throw new ArgumentException($"SequenceLayout: sequence {s} has length {lengths[s]} after {before} positions.");
            }

            rows += lengths[s];
        }

        (Count, Rows) = (lengths.Length, rows);
        starts = Room(starts, Count);
        this.lengths = Room(this.lengths, Count);
        this.past = Room(this.past, Count);
        positions = Room(positions, rows);
        owners = Room(owners, rows);
        int row = 0;
        for (int s = 0; s < lengths.Length; s++)
        {
            starts[s] = row;
            this.lengths[s] = lengths[s];
            this.past[s] = past.Length == 0 ? 0 : past[s];
            for (int t = 0; t < lengths[s]; t++, row++)
            {
                positions[row] = this.past[s] + t;
                owners[row] = s;
            }
        }
    }

    /// <summary>The number of sequences.</summary>
    public int Count { get; private set; }

    /// <summary>The number of rows of all sequences together.</summary>
    public int Rows { get; private set; }

    /// <summary>The first row of each sequence.</summary>
    public ReadOnlySpan<int> Starts => starts.AsSpan(0, Count);

    /// <summary>The number of rows of each sequence.</summary>
    public ReadOnlySpan<int> Lengths => lengths.AsSpan(0, Count);

    /// <summary>The number of positions before the rows of each sequence.</summary>
    public ReadOnlySpan<int> Past => past.AsSpan(0, Count);

    /// <summary>The position in its sequence of every row.</summary>
    public ReadOnlySpan<int> Positions => positions.AsSpan(0, Rows);

    /// <summary>The sequence of every row.</summary>
    public ReadOnlySpan<int> Owners => owners.AsSpan(0, Rows);

    /// <summary><see cref="Positions"/> as the array itself, for ops that keep it; it must not be changed.</summary>
    public int[] PositionArray => positions.Length == Rows ? positions : positions[..Rows];

    /// <summary><see cref="Owners"/> as the array itself, for ops that keep it; it must not be changed.</summary>
    public int[] OwnerArray => owners.Length == Rows ? owners : owners[..Rows];

    /// <summary>The last row of a sequence.</summary>
    public int LastRow(int sequence) => starts[sequence] + lengths[sequence] - 1;

    private static int[] Room(int[] array, int length) => array.Length >= length ? array : new int[length];
}

/// <summary>
/// The keys and values of the first <see cref="Length"/> positions of one sequence in one layer, row-major
/// [positions, key/value width], after rotary embedding. Grows by appending.
/// </summary>
/// <remarks>Readers may share a segment as long as nobody appends.</remarks>
public sealed class KeyValueSegment
{
    private float[] keys, values;

    /// <summary>An empty segment for rows of <paramref name="width"/> numbers.</summary>
    public KeyValueSegment(int width, int capacity = 0)
    {
        Width = width;
        keys = capacity == 0 ? [] : new float[capacity * width];
        values = capacity == 0 ? [] : new float[capacity * width];
    }

    /// <summary>The width of one key or value row: key/value heads times head width.</summary>
    public int Width { get; }

    /// <summary>The number of positions held.</summary>
    public int Length { get; private set; }

    /// <summary>The keys [Length, Width].</summary>
    public ReadOnlySpan<float> Keys => keys.AsSpan(0, Length * Width);

    /// <summary>The values [Length, Width].</summary>
    public ReadOnlySpan<float> Values => values.AsSpan(0, Length * Width);

    /// <summary>Appends rows.</summary>
    public void Append(ReadOnlySpan<float> newKeys, ReadOnlySpan<float> newValues)
    {
        if (newKeys.Length != newValues.Length || newKeys.Length % Width != 0)
        {
            throw new ArgumentException($"KeyValueSegment: {newKeys.Length} key and {newValues.Length} value numbers for rows of {Width}.");
        }

        int used = Length * Width;
        int needed = used + newKeys.Length;
        if (needed > keys.Length)
        {
            int capacity = Math.Max(needed, Math.Max(8 * Width, keys.Length * 2));
            Array.Resize(ref keys, capacity);
            Array.Resize(ref values, capacity);
        }

        newKeys.CopyTo(keys.AsSpan(used));
        newValues.CopyTo(values.AsSpan(used));
        Length += newKeys.Length / Width;
    }

    /// <summary>Forgets all positions from <paramref name="length"/> on.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>A copy of the first <paramref name="length"/> positions, which may grow on its own.</summary>
    /// <param name="length">How many positions are kept.</param>
    /// <param name="room">For how many more there shall be room at once.</param>
    public KeyValueSegment Prefix(int length, int room = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        KeyValueSegment copy = new(Width, length + room);
        copy.Append(Keys[..(length * Width)], Values[..(length * Width)]);
        return copy;
    }
}
