namespace ElderManaged.Editing.Elder;

/// <summary>Different words with weights, ordered by hash: how much of one text is found in another.</summary>
internal sealed class WordBag
{
    public static readonly WordBag Empty = new([], _ => 0);

    private readonly ulong[] words; // ascending
    private readonly float[] weights;
    private readonly float total;

    public WordBag(ulong[] words, Func<ulong, float> weight)
    {
        this.words = [.. words.Order()];
        weights = [.. this.words.Select(weight)];
        foreach (float one in weights)
        {
            total += one;
        }
    }

    public bool IsEmpty => words.Length == 0;

    /// <summary>The words' hashes, ascending.</summary>
    public ReadOnlySpan<ulong> Words => words;

    /// <summary>What a word adds to <see cref="FoundIn"/> where it is found.</summary>
    public float Share(int word) => weights[word] / total;

    /// <summary>The share of this bag's weight whose words are in <paramref name="other"/>; 0 for an empty bag.</summary>
    public double FoundIn(WordBag other)
    {
        double found = 0;
        int k = 0;
        for (int i = 0; i < words.Length; i++)
        {
            while (k < other.words.Length && other.words[k] < words[i])
            {
                k++;
            }

            if (k < other.words.Length && other.words[k] == words[i])
            {
                found += weights[i];
            }
        }

        return total > 0 ? found / total : 0;
    }
}
