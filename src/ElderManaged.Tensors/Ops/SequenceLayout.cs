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
