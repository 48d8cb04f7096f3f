using System.Numerics;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// The allocation code of an input: L·N bits, bit l·N + j set if LoRA j of edited layer l is chosen. Kept in machine
/// words, so that a Hamming distance is XOR and population count.
/// </summary>
public sealed class AllocationCode : IEquatable<AllocationCode>
{
    private readonly ulong[] words;

    /// <summary>A code from its words; bits beyond <paramref name="length"/> must be zero.</summary>
    public AllocationCode(int length, ReadOnlySpan<ulong> words)
    {
        if (words.Length != WordsFor(length) || (length % 64 != 0 && words[^1] >> (length % 64) != 0))
        {
            throw new ArgumentException($"AllocationCode: {length} bits need {WordsFor(length)} words with zeros behind the last bit, got {words.Length} words.");
        }

        Length = length;
        this.words = words.ToArray();
    }

    /// <summary>The number of bits, L·N.</summary>
    public int Length { get; }

    /// <summary>The bits, 64 to a word, lowest first.</summary>
    public ReadOnlySpan<ulong> Words => words;

    /// <summary>Bit <paramref name="index"/>.</summary>
    public bool this[int index] => (words[index >> 6] >> (index & 63) & 1) != 0;

    /// <summary>The code of an allocation.</summary>
    public static AllocationCode Of(Allocation allocation)
    {
        ArgumentNullException.ThrowIfNull(allocation);
        int length = allocation.LayerCount * allocation.LoraCount;
        ulong[] words = new ulong[WordsFor(length)];
        for (int l = 0; l < allocation.LayerCount; l++)
        {
            foreach (int j in allocation.Layer(l))
            {
                int bit = (l * allocation.LoraCount) + j;
                words[bit >> 6] |= 1UL << (bit & 63);
            }
        }

        return new AllocationCode(length, words);
    }

    /// <summary>In how many bits two codes of equal length differ.</summary>
    public int Distance(AllocationCode other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Length != Length)
        {
            throw new ArgumentException($"AllocationCode: the lengths differ, {Length} and {other.Length} bits.");
        }

        return Distance(words, other.words);
    }

    /// <inheritdoc/>
    public bool Equals(AllocationCode? other) => other is not null && Length == other.Length && words.AsSpan().SequenceEqual(other.words);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as AllocationCode);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (ulong word in words)
        {
            hash.Add(word);
        }

        return hash.ToHashCode();
    }

    internal static int WordsFor(int length) => (length + 63) >> 6;

    internal static int Distance(ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b)
    {
        int sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += BitOperations.PopCount(a[i] ^ b[i]);
        }

        return sum;
    }
}
