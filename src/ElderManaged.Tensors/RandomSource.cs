using System.Numerics;

namespace ElderManaged.Tensors;

/// <summary>
/// A small reproducible random generator (xoshiro256**, Blackman and Vigna 2018, seeded by SplitMix64): the same seed
/// gives the same numbers on every machine and .NET version, which <see cref="Random"/> does not promise.
/// </summary>
/// <remarks>Not thread-safe; <see cref="Fork"/> gives independent streams.</remarks>
public sealed class RandomSource
{
    private ulong s0, s1, s2, s3;

    /// <summary>A generator for a seed.</summary>
    public RandomSource(ulong seed)
    {
        s0 = SplitMix(ref seed);
        s1 = SplitMix(ref seed);
        s2 = SplitMix(ref seed);
        s3 = SplitMix(ref seed);
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        ulong result = BitOperations.RotateLeft(s1 * 5, 7) * 9;
        ulong t = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = BitOperations.RotateLeft(s3, 45);
        return result;
    }

    /// <summary>A whole number from 0 to <paramref name="limit"/> − 1, unbiased.</summary>
    public int Next(int limit)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        uint bound = (uint)limit;
        while (true)
        {
            // Lemire's multiplication with rejection of the few biased low products.
            ulong product = (NextBits() >> 32) * bound;
            if ((uint)product >= (0u - bound) % bound)
            {
                return (int)(product >> 32);
            }
        }
    }

    /// <summary>A number in [0, 1) with 24 random bits.</summary>
    public float NextFloat() => (NextBits() >> 40) * (1f / (1 << 24));

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1L << 53));

    /// <summary>A standard normal number (Box and Muller 1958).</summary>
    public float NextGaussian()
    {
        double radius = Math.Sqrt(-2 * Math.Log(1 - NextDouble()));
        return (float)(radius * Math.Cos(2 * Math.PI * NextDouble()));
    }

    /// <summary>Fills with numbers uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public void FillUniform(Span<float> destination, float low, float high)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = low + ((high - low) * NextFloat());
        }
    }

    /// <summary>Fills with normal numbers of mean 0.</summary>
    public void FillGaussian(Span<float> destination, float deviation)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = deviation * NextGaussian();
        }
    }

    /// <summary>Puts the items into random order (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>An independent generator that depends on this one's state and a label.</summary>
    public RandomSource Fork(ulong label) => new(NextBits() ^ (label * 0x9E3779B97F4A7C15UL));

    /// <summary>The four words of state, to resume later.</summary>
    public ulong[] SaveState() => [s0, s1, s2, s3];

    /// <summary>A generator that continues from <see cref="SaveState"/>.</summary>
    public static RandomSource FromState(ReadOnlySpan<ulong> state)
    {
        if (state.Length != 4)
        {
            throw new ArgumentException($"RandomSource: a state has 4 words, got {state.Length}.");
        }

        return new RandomSource(0) { s0 = state[0], s1 = state[1], s2 = state[2], s3 = state[3] };
    }

    private static ulong SplitMix(ref ulong x)
    {
        ulong z = x += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
