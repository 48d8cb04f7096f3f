using System.Runtime.CompilerServices;

namespace ElderManaged.Models.Weights;

/// <summary>
/// Random numbers without a state: number i of stream t is a hash of (seed, t, i), so they can be made in any order, in
/// pieces, and by any number of threads. Uniform, with a given deviation.
/// </summary>
internal static class CounterRandom
{
    private const ulong Golden = 0x9E3779B97F4A7C15UL;

    /// <summary>The stream of a tensor.</summary>
    public static ulong Stream(ulong seed, ulong tensor) => Mix(seed + (Golden * tensor));

    /// <summary>Numbers <paramref name="first"/> and following of a stream.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // long loops from the first call on
    public static void Fill(Span<float> values, ulong stream, long first, float deviation)
    {
        float bound = deviation * MathF.Sqrt(3); // uniform in ± this has that deviation
        float step = 2 * bound / (1 << 24);
        ulong counter = stream + (Golden * (ulong)first);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = ((Mix(counter) >> 40) * step) - bound;
            counter += Golden;
        }
    }

    // The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
