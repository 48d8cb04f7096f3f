namespace ElderManaged.Tensors;

/// <summary>What a kernel of few rows reads and writes: some groups of one panel of words. Passed by address: it is more than a call has registers.</summary>
internal unsafe struct WordWork
{
    /// <summary>The first group.</summary>
    public byte* Group;

    /// <summary>How many.</summary>
    public nint Groups;

    /// <summary>Their length; without scales, all inputs are one group.</summary>
    public int GroupLength;

    /// <summary>1 to 8 for y = x·Wᵀ, 1 to 4 for dx = dy·W.</summary>
    public int Rows;

    /// <summary>x at the first input of the groups, or the rows of dy for the 64 outputs of the panel, row after row.</summary>
    public float* From;

    /// <summary>From a row of x to the next.</summary>
    public nint FromRow;

    /// <summary>Is added to: 64 outputs for each row, or the chains of <see cref="WideSums"/> of the first input.</summary>
    public float* Sums;

    /// <summary>Room for the minima of a group, of even and of odd k, at the start of a cache line: with the sums of four rows they have no place in registers.</summary>
    public float* Minima;

    /// <summary>What is fetched meanwhile.</summary>
    public PanelStreams Ahead;
}
