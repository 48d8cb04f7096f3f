namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// The merges of a byte-pair encoding: which two neighbouring symbols become which one, and which merge comes first.
/// Symbols are token ids, or other numbers where a single character is no token.
/// </summary>
internal sealed class MergeTable(int capacity)
{
    /// <summary>The rank of a pair that does not merge; real ranks are smaller.</summary>
    public const int None = int.MaxValue;

    private readonly Dictionary<ulong, (int Rank, int Merged)> _merges = new(capacity);

    /// <summary>Number of pairs that merge.</summary>
    public int Count => _merges.Count;

    /// <summary>Adds a merge; false if the pair merges already.</summary>
    /// <param name="left">The left symbol.</param>
    /// <param name="right">The right symbol.</param>
    /// <param name="rank">Smaller ranks come first; equal ranks go from left to right.</param>
    /// <param name="merged">What the pair becomes.</param>
    public bool TryAdd(int left, int right, int rank, int merged) => _merges.TryAdd(Key(left, right), (rank, merged));

    /// <summary>The rank of a pair, <see cref="None"/> if it does not merge, and what it becomes.</summary>
    public int Find(int left, int right, out int merged)
    {
        if (_merges.TryGetValue(Key(left, right), out (int Rank, int Merged) merge))
        {
            merged = merge.Merged;
            return merge.Rank;
        }

        merged = -1;
        return None;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
