using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

// A panel keeps 64 outputs side by side, each in a 32-bit word of its own ("lane"); a word holds 2, 4 or 8 numbers that
// follow each other along k. Numbers that share a scale are a group of k:
//
//   group:  scales of 64 lanes | minima of 64 lanes | words of k = 0… : 64 lanes | words of the next k : 64 lanes | …
//   word:   16 bits  [k, k+1]     8 bits  [k+3, k, k+1, k+2]     4 bits  [k … k+7]       (from the lowest bits up)
//
// A format says how a word becomes weights, w = fma(scale, code, minimum), two consecutive k at a time, in registers of any width.

/// <summary>How a word becomes codes.</summary>
internal interface IWordCodes
{
    /// <summary>Numbers in a word.</summary>
    static abstract int InWord { get; }

    /// <summary>The first two codes of each word as floats.</summary>
    /// <param name="words">A register of words.</param>
    /// <param name="first">Code of the even k.</param>
    /// <param name="second">Code of the odd k.</param>
    static abstract void Pair<L, B, V>(V words, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct;

    /// <summary>The words with their next two codes where the first two were. Kernels loop over pairs: unrolled, they outgrow what the JIT optimizes.</summary>
    static abstract V Next<B, V>(V words)
        where B : struct, IWordLanes<V>
        where V : struct;
}

/// <summary>How the scales and minima of a group lie before its words.</summary>
internal unsafe interface IWordScales
{
    /// <summary>Bytes before the words of a group.</summary>
    static abstract int Bytes { get; }

    /// <summary>Numbers along k that share a scale; 0 where there are no scales.</summary>
    static abstract int GroupLength { get; }

    /// <summary>Scale and minimum for a register of lanes beginning at <paramref name="lane"/>.</summary>
    static abstract void Load<L, B, V>(byte* group, int lane, out V scale, out V minimum)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct;
}

/// <summary>Half precision to single, all in integer and normal float arithmetic: nothing slows down for subnormal numbers.</summary>
internal static class HalfBits
{
    /// <summary>
    /// The float of a finite half in the upper 16 bits of each word; lower bits do not matter.
    /// With exponent and mantissa moved into place and the bias added, n is the value, except where the half is subnormal: there
    /// the implied leading one is too much, and the value is 2n - 2⁻¹⁴. The smaller of the two is always the right one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Upper<L, B, V>(V words)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        V n = B.Add(B.And(B.ShiftRight(words, 3), 0x0FFF_E000), (127 - 15) << 23);
        return B.WithSign(B.Min(n, L.Fma(n, L.Broadcast(2f), L.Broadcast(-6.103515625e-5f))), words);
    }

    /// <summary>Sixty-four halves in 32 words: lanes 0…15 and 32…47 in the lower 16 bits, lanes 16…31 and 48…63 in the upper.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe V Lanes<L, B, V>(byte* words, int lane)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        V two = B.Load(words + (sizeof(uint) * WordOf(lane)));
        return Upper<L, B, V>(InUpper(lane) ? two : B.ShiftLeft(two, 16));
    }

    public static int WordOf(int lane) => (lane >> 5 << 4) + (lane & 15);

    public static bool InUpper(int lane) => (lane & 16) != 0;
}

/// <summary>Two float16 in a word.</summary>
internal readonly struct Float16Codes : IWordCodes
{
    public static int InWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(V words, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        first = HalfBits.Upper<L, B, V>(B.ShiftLeft(words, 16));
        second = HalfBits.Upper<L, B, V>(words);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<B, V>(V words)
        where B : struct, IWordLanes<V>
        where V : struct => words;
}

/// <summary>Two bfloat16 in a word.</summary>
internal readonly struct BFloat16Codes : IWordCodes
{
    public static int InWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(V words, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        first = B.ShiftLeft(words, 16);
        second = B.And(words, 0xFFFF_0000);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<B, V>(V words)
        where B : struct, IWordLanes<V>
        where V : struct => words;
}

/// <summary>
/// Four bytes q + 128 in a word, as 1 + (q + 128)·2⁻¹⁵: a byte becomes such a float by laying it into the mantissa of 1, at bits
/// 8…15. (There its product with a float16 scale is exact; further down it would not be.)
/// </summary>
internal readonly struct MantissaByteCodes : IWordCodes
{
    public static int InWord => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(V words, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        first = B.AndOr(words, 0xFF00, 0x3F80_0000);
        second = B.AndOr(B.ShiftRight(words, 8), 0xFF00, 0x3F80_0000);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<B, V>(V words)
        where B : struct, IWordLanes<V>
        where V : struct => B.SwapHalves(words);
}

/// <summary>Four bytes q + 128 in a word, as q.</summary>
internal readonly struct ByteCodes : IWordCodes
{
    public static int InWord => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(V words, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        // 2¹⁵ + (q + 128) in units of one: bits 8…15 of the mantissa of 2¹⁵ count 1 each.
        V zero = L.Broadcast(32768f + 128f);
        first = L.Subtract(B.AndOr(words, 0xFF00, 0x4700_0000), zero);
        second = L.Subtract(B.AndOr(B.ShiftRight(words, 8), 0xFF00, 0x4700_0000), zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<B, V>(V words)
        where B : struct, IWordLanes<V>
        where V : struct => B.SwapHalves(words);
}

/// <summary>Eight codes 0 … 15 in a word.</summary>
internal readonly struct NibbleCodes : IWordCodes
{
    public static int InWord => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(V words, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        first = B.LowNibbles(words);
        second = B.LowNibbles(B.ShiftRight(words, 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<B, V>(V words)
        where B : struct, IWordLanes<V>
        where V : struct => B.ShiftRight(words, 8);
}

/// <summary>The codes are the weights.</summary>
internal readonly unsafe struct NoScales : IWordScales
{
    public static int Bytes => 0;

    public static int GroupLength => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<L, B, V>(byte* group, int lane, out V scale, out V minimum)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct => scale = minimum = L.Broadcast(0f);
}

/// <summary>A float16 d for <see cref="MantissaByteCodes"/>: d·q = (2¹⁵·d)·code - d·(2¹⁵ + 128), both factors exact, so rounded never.</summary>
internal readonly unsafe struct MantissaByteScales : IWordScales
{
    public static int Bytes => 64 * 2;

    public static int GroupLength => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<L, B, V>(byte* group, int lane, out V scale, out V minimum)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        V d = HalfBits.Lanes<L, B, V>(group, lane);
        scale = L.Multiply(d, L.Broadcast(32768f));
        minimum = L.Multiply(d, L.Broadcast(-32768f - 128f));
    }
}

/// <summary>A float16 d, and -8·d as the minimum.</summary>
internal readonly unsafe struct CentredScales : IWordScales
{
    public static int Bytes => 64 * 2;

    public static int GroupLength => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<L, B, V>(byte* group, int lane, out V scale, out V minimum)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        scale = HalfBits.Lanes<L, B, V>(group, lane);
        minimum = L.Multiply(scale, L.Broadcast(-8f));
    }
}

/// <summary>Float16 d and m.</summary>
internal readonly unsafe struct HalfScales : IWordScales
{
    public static int Bytes => 64 * 4;

    public static int GroupLength => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<L, B, V>(byte* group, int lane, out V scale, out V minimum)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        scale = HalfBits.Lanes<L, B, V>(group, lane);
        minimum = HalfBits.Lanes<L, B, V>(group + 128, lane);
    }
}

/// <summary>Float32 d and m, for formats whose scales are products.</summary>
internal readonly unsafe struct SingleScales : IWordScales
{
    public static int Bytes => 64 * 8;

    public static int GroupLength => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<L, B, V>(byte* group, int lane, out V scale, out V minimum)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        scale = B.Load(group + (lane * sizeof(float)));
        minimum = B.Load(group + (64 * sizeof(float)) + (lane * sizeof(float)));
    }
}

/// <summary>A float32 d.</summary>
internal readonly unsafe struct SingleScale : IWordScales
{
    public static int Bytes => 64 * 4;

    public static int GroupLength => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<L, B, V>(byte* group, int lane, out V scale, out V minimum)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        scale = B.Load(group + (lane * sizeof(float)));
        minimum = L.Broadcast(0f);
    }
}
