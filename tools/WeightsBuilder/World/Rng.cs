namespace ElderManaged.WeightsBuilder.World;

/// <summary>
/// A small generator (SplitMix64) whose numbers are fixed for all time and every platform: the world must be the
/// same wherever it is built, which System.Random does not promise between versions.
/// </summary>
public sealed class Rng(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A generator for one part of the world, so that a change to one part leaves the others as they were.</summary>
    public static Rng For(ulong seed, string part)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in part)
        {
            hash = (hash ^ c) * 0x100000001B3;
        }

        return new Rng(new Rng(seed ^ hash).NextUInt64());
    }

    public ulong NextUInt64()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to <paramref name="count"/> - 1; the bias of 2^-64 · count is of no matter here.</summary>
    public int Next(int count) => (int)Math.BigMul(NextUInt64(), (ulong)count, out _);

    /// <summary>A number from <paramref name="from"/> to <paramref name="to"/>, both possible.</summary>
    public int Between(int from, int to) => from + Next(to - from + 1);

    public T Pick<T>(IReadOnlyList<T> items) => items[Next(items.Count)];

    public void Shuffle<T>(IList<T> items)
    {
        for (int i = items.Count - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>Different items in random order.</summary>
    public T[] Sample<T>(IReadOnlyList<T> items, int count)
    {
        T[] all = [.. items];
        Shuffle(all);
        return all[..count];
    }
}
