namespace ElderManaged.Models.Checkpoints;

/// <summary>Reads bytes of whole rows.</summary>
internal delegate void ReadRowBytes(long firstRow, Span<byte> destination);

/// <summary>
/// Puts the rows of query and key projections in Hugging Face's order. LLaMA's original weights, llama2.c and GGUF keep
/// the two rows of a rotary pair side by side, Hugging Face half a head apart:
/// <code>
///   file          0  1  2  3  4  5   …    pair i of a head of width 2n is rows 2i, 2i + 1
///                 |  |  |  |  |  |
///   here          0  n  1 n+1 2 n+2  …    pair i is rows i, n + i
/// </code>
/// </summary>
internal static class RotaryRows
{
    /// <summary>The row of the file that is row <paramref name="row"/> here.</summary>
    /// <param name="row">Row of the matrix of all heads.</param>
    /// <param name="halfHead">n.</param>
    public static long Source(long row, int halfHead)
    {
        long head = row / (2 * halfHead);
        long within = row % (2 * halfHead);
        return (head * 2 * halfHead) + (within < halfHead ? 2 * within : (2 * (within - halfHead)) + 1);
    }

    /// <summary>Fills <paramref name="destination"/> with rows from <paramref name="firstRow"/> on; heads are read whole, in one read each.</summary>
    public static void Read(int halfHead, int rowBytes, long firstRow, Span<byte> destination, ReadRowBytes read)
    {
        int headRows = 2 * halfHead;
        byte[] head = new byte[headRows * rowBytes];
        long inBuffer = -1;
        for (long row = firstRow; destination.Length > 0; row++, destination = destination[rowBytes..])
        {
            if (row / headRows != inBuffer)
            {
                inBuffer = row / headRows;
                read(inBuffer * headRows, head);
            }

            int at = (int)(Source(row, halfHead) - (inBuffer * headRows));
            head.AsSpan(at * rowBytes, rowBytes).CopyTo(destination);
        }
    }
}
