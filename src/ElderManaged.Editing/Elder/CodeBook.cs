namespace ElderManaged.Editing.Elder;

/// <summary>
/// The recorded codes of edited prompts, one after another in memory, and the fact that each belongs to. Immutable:
/// adding gives a new book, so that readers keep theirs.
/// </summary>
public sealed class CodeBook
{
    private readonly int length;
    private readonly ulong[] words;
    private readonly string[] facts;

    /// <summary>An empty book for codes of <paramref name="length"/> bits.</summary>
    public CodeBook(int length) : this(length, [], [])
    {
    }

    private CodeBook(int length, ulong[] words, string[] facts) => (this.length, this.words, this.facts) = (length, words, facts);

    /// <summary>The number of recorded codes.</summary>
    public int Count => facts.Length;

    /// <summary>The recorded code of the given number, in the order of recording.</summary>
    public AllocationCode this[int index] => new(length, Code(index));

    /// <summary>The fact of the recorded code of the given number.</summary>
    public string FactOf(int index) => facts[index];

    /// <summary>This book and more codes.</summary>
    public CodeBook With(IReadOnlyList<(string FactId, AllocationCode Code)> added)
    {
        ArgumentNullException.ThrowIfNull(added);
        if (added.FirstOrDefault(a => a.Code.Length != length) is { Code: { } wrong })
        {
            throw new ArgumentException($"CodeBook: a code of {wrong.Length} bits among codes of {length}.");
        }

        return new CodeBook(length, [.. words, .. added.SelectMany(a => a.Code.Words.ToArray())], [.. facts, .. added.Select(a => a.FactId)]);
    }

    /// <summary>This book without the codes of a fact.</summary>
    public CodeBook Without(string factId)
    {
        int[] kept = [.. Enumerable.Range(0, Count).Where(i => facts[i] != factId)];
        return new CodeBook(length, [.. kept.SelectMany(i => Code(i).ToArray())], [.. kept.Select(i => facts[i])]);
    }

    /// <summary>The recorded code with the smallest Hamming distance, the earliest of equals; (int.MaxValue, −1) if there is none.</summary>
    public (int Distance, int Index) Nearest(AllocationCode code)
    {
        ArgumentNullException.ThrowIfNull(code);
        if (code.Length != length)
        {
            throw new ArgumentException($"CodeBook: a code of {code.Length} bits cannot be compared with codes of {length}.");
        }

        (int Distance, int Index) best = (int.MaxValue, -1);
        for (int i = 0; i < facts.Length; i++)
        {
            int distance = AllocationCode.Distance(code.Words, Code(i));
            best = distance < best.Distance ? (distance, i) : best;
        }

        return best;
    }

    private ReadOnlySpan<ulong> Code(int index)
    {
        int count = AllocationCode.WordsFor(length);
        return words.AsSpan(index * count, count);
    }
}
