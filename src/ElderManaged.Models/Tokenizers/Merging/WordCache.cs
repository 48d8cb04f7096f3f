using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Remembers the tokens of words, because words recur (Zipf). Both limits bound the memory that strange text can take:
/// about 20 MB when full. For any number of threads.
/// </summary>
internal sealed class WordCache
{
    private const int Words = 1 << 16;
    private const int LongestWord = 64;

    private readonly ConcurrentDictionary<string, int[]> _tokens = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _count; // ConcurrentDictionary.Count would lock all threads out

    public WordCache() => _lookup = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();

    public bool TryGet(ReadOnlySpan<char> word, [NotNullWhen(true)] out int[]? tokens)
    {
        if (word.Length <= LongestWord)
        {
            return _lookup.TryGetValue(word, out tokens);
        }

        tokens = null;
        return false;
    }

    public void Add(ReadOnlySpan<char> word, ReadOnlySpan<int> tokens)
    {
        // The bound is soft: threads may pass it together by a few words.
        if (word.Length <= LongestWord && Volatile.Read(ref _count) < Words && _lookup.TryAdd(word, tokens.ToArray()))
        {
            Interlocked.Increment(ref _count);
        }
    }
}
