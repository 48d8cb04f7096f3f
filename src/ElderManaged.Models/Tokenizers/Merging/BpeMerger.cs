using System.Buffers;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Byte-pair merging: of all neighbouring pairs the one of the lowest rank (the leftmost of equals) becomes one symbol,
/// until none merges.
/// </summary>
/// <remarks>
/// The symbols are a linked list in arrays, the pairs a heap of (rank, place), so that n symbols take O(n log n) also if
/// they are all alike. A pair that has changed since it was put on the heap is recognised by its rank:
/// <code>
/// symbols   t  h  e  r  e          ranks[i] = rank of the pair that begins at i
/// ranks     1  0  4  7  -          heap: (0,1) (1,0) (4,2) (7,3)
///           t  he    r  e          he = merge of rank 0; ranks of t·he and he·r are looked up anew,
/// ranks     3  5  -  7  -          (1,0) and (4,2) on the heap are stale: ranks[0] is 3, ranks[2] is none
/// </code>
/// </remarks>
internal static class BpeMerger
{
    /// <summary>Merges symbols in place.</summary>
    /// <param name="symbols">The symbols; the result is at the beginning.</param>
    /// <param name="table">The merges.</param>
    /// <returns>The number of symbols that are left.</returns>
    public static int Merge(Span<int> symbols, MergeTable table)
    {
        int n = symbols.Length;
        if (n < 2)
        {
            return n;
        }

        int[] rented = ArrayPool<int>.Shared.Rent(checked(4 * n));
        PairHeap heap = new(n);
        Span<int> next = rented.AsSpan(0, n), previous = rented.AsSpan(n, n), ranks = rented.AsSpan(2 * n, n), merged = rented.AsSpan(3 * n, n);
        for (int i = 0; i < n; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
            ranks[i] = i + 1 < n ? table.Find(symbols[i], symbols[i + 1], out merged[i]) : MergeTable.None;
            if (ranks[i] != MergeTable.None)
            {
                heap.Append(ranks[i], i);
            }
        }

        heap.Order();
        while (heap.TryTake(out int rank, out int at))
        {
            if (ranks[at] != rank)
            {
                continue; // one of the two has gone into another merge meanwhile
            }

            int after = next[at], beyond = next[after];
            symbols[at] = merged[at];
            ranks[after] = MergeTable.None;
            next[at] = beyond;
            if (beyond < n)
            {
                previous[beyond] = at;
            }

            Renew(at, symbols, next, ranks, merged, table, ref heap);
            if (previous[at] >= 0)
            {
                Renew(previous[at], symbols, next, ranks, merged, table, ref heap);
            }
        }

        int count = 0;
        for (int i = 0; i < n; i = next[i])
        {
            symbols[count++] = symbols[i];
        }

        heap.Return();
        ArrayPool<int>.Shared.Return(rented);
        return count;
    }

    private static void Renew(
        int at, Span<int> symbols, Span<int> next, Span<int> ranks, Span<int> merged, MergeTable table, ref PairHeap heap)
    {
        int after = next[at];
        ranks[at] = after < symbols.Length ? table.Find(symbols[at], symbols[after], out merged[at]) : MergeTable.None;
        if (ranks[at] != MergeTable.None)
        {
            heap.Put(ranks[at], at);
        }
    }
}
