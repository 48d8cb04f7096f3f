namespace ElderManaged.Tensors;

/// <summary>What a thread computes at a time: some rows of a sequence, for one or more query heads that share a key/value head.</summary>
internal readonly struct AttentionPart(in AttentionSlice slice, int firstHead, int group, int firstRow, int endRow)
{
    /// <summary>The sequence and its key/value head.</summary>
    public readonly AttentionSlice Slice = slice;

    /// <summary>The first query head.</summary>
    public int FirstHead { get; } = firstHead;

    /// <summary>The number of query heads.</summary>
    public int Group { get; } = group;

    /// <summary>The first row of the sequence that is computed.</summary>
    public int FirstRow { get; } = firstRow;

    /// <summary>The row after the last one.</summary>
    public int EndRow { get; } = endRow;

    /// <summary>The number of rows.</summary>
    public int Rows => EndRow - FirstRow;

    /// <summary>Where a head's columns of a row begin in q, y and their gradients.</summary>
    public nint At(int row, int head) => ((Slice.Start + row) * Slice.QueryStride) + ((nint)head * Slice.Width);
}
