using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

// A panel keeps 64 outputs side by side, each in a 32-bit word of its own ("lane"); a word holds 2, 4 or 8 numbers that
// follow each other along k. Numbers that share a scale are a group of k:
//
//   group:  scales of 64 lanes | minima of 64 lanes | words of k = 0… : 64 lanes | words of the next k : 64 lanes | …
//   word:   16 bits  [k, k+1]     8 bits  [k+3, k, k+1, k+2]     4 bits  [k … k+7]       (from the lowest bits up)
//
// A format says how a word becomes weights, w = fma(scale, code, minimum), two consecutive k at a time, in registers of any width.
// Words are loaded from up to three bytes before and behind their own address.

/// <summary>How a word becomes codes.</summary>
internal unsafe interface IWordCodes
{
    /// <summary>Numbers in a word.</summary>
    static abstract int InWord { get; }

    /// <summary>Two codes of each word as floats; some formats add a number to each, see <see cref="Minima"/>.</summary>
    /// <param name="words">The address of a register of words. A code in another byte is brought into place by loading from an address
    /// beside it, which costs less than a shift: multipliers do shifts too.</param>
    /// <param name="k">The first code's number in its word, even.</param>
    /// <param name="first">Code k.</param>
    /// <param name="second">Code k + 1.</param>
    static abstract void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct;

    /// <summary>What takes the minimum's place: less the scale times what codes have too much.</summary>
    static virtual void Minima<L, V>(V scale, V minimum, out V ofFirst, out V ofSecond)
        where L : struct, ILanes<V>
        where V : struct => ofFirst = ofSecond = minimum;
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
internal readonly unsafe struct Float16Codes : IWordCodes
{
    public static int InWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        V two = B.Load(words);
        first = HalfBits.Upper<L, B, V>(B.ShiftLeft(two, 16));
        second = HalfBits.Upper<L, B, V>(two);
    }
}

/// <summary>Two bfloat16 in a word.</summary>
internal readonly unsafe struct BFloat16Codes : IWordCodes
{
    public static int InWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        V two = B.Load(words);
        first = B.ShiftLeft(two, 16);
        second = B.And(two, 0xFFFF_0000);
    }
}

/// <summary>
/// Four bytes q + 128 in a word, as 1 + (q + 128)·2⁻¹⁵: a byte becomes such a float by laying it into the mantissa of 1, at bits
/// 8…15. (There its product with a float16 scale is exact; further down it would not be.)
/// </summary>
internal readonly unsafe struct MantissaByteCodes : IWordCodes
{
    public static int InWord => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        first = B.AndOr(B.Load(words + k), 0xFF00, 0x3F80_0000);
        second = B.AndOr(B.Load(words + 1 - k), 0xFF00, 0x3F80_0000);
    }
}

/// <summary>Four bytes q + 128 in a word, as q.</summary>
internal readonly unsafe struct ByteCodes : IWordCodes
{
    public static int InWord => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        // 2¹⁵ + (q + 128) in units of one: bits 8…15 of the mantissa of 2¹⁵ count 1 each.
        V zero = L.Broadcast(32768f + 128f);
        first = L.Subtract(B.AndOr(B.Load(words + k), 0xFF00, 0x4700_0000), zero);
        second = L.Subtract(B.AndOr(B.Load(words + 1 - k), 0xFF00, 0x4700_0000), zero);
    }
}

/// <summary>Eight codes 0 … 15 in a word.</summary>
internal readonly unsafe struct NibbleCodes : IWordCodes
{
    public static int InWord => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        V two = B.Load(words + (k / 2));
        first = B.LowNibbles(two);
        second = B.LowNibbles(B.ShiftRight(two, 4));
    }
}

/// <summary>
/// Eight codes 0 … 15 in a word, as 2¹⁵ + code and 2¹¹ + code: laid into the mantissas of these two, at bits 8…11 and 12…15, where both
/// nibbles of a byte are at once.
/// </summary>
/// <remarks>For <see cref="CentredScales"/>: d·(code - 8) = d·(2¹⁵ + code) - d·(2¹⁵ + 8), all exact for a float16 d, so rounded never.</remarks>
internal readonly unsafe struct MantissaNibbleCodes : IWordCodes
{
    public static int InWord => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        V two = B.Load(words + (k / 2) - 1);
        first = B.AndOr(two, 0xF00, 0x4700_0000);
        second = B.AndOr(two, 0xF000, 0x4500_0000);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Minima<L, V>(V scale, V minimum, out V ofFirst, out V ofSecond)
        where L : struct, ILanes<V>
        where V : struct
    {
        ofFirst = L.Fma(scale, L.Broadcast(-32768f), minimum);
        ofSecond = L.Fma(scale, L.Broadcast(-2048f), minimum);
    }
}

/// <summary>
/// Eight codes 0 … 15 in a word, as 2⁷ + code and 2¹¹ + code: the even ones at bits 16…19 of a mantissa, the odd ones at 12…15.
/// For <see cref="HalfScales"/> whose minimum less 2⁷ and 2¹¹ scales is exact, see <see cref="IsExact"/>: it seldom is not.
/// </summary>
internal readonly unsafe struct HighNibbleCodes : IWordCodes
{
    private const float Even = 128, Odd = 2048;

    public static int InWord => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pair<L, B, V>(byte* words, int k, out V first, out V second)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct
    {
        first = B.AndOr(B.Load(words + (k / 2) - 2), 0xF_0000, 0x4300_0000);
        second = B.AndOr(B.Load(words + (k / 2) - 1), 0xF000, 0x4500_0000);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Minima<L, V>(V scale, V minimum, out V ofFirst, out V ofSecond)
        where L : struct, ILanes<V>
        where V : struct
    {
        ofFirst = L.Fma(scale, L.Broadcast(-Even), minimum);
        ofSecond = L.Fma(scale, L.Broadcast(-Odd), minimum);
    }

    /// <summary>Whether weights are rounded once, as scale·code + minimum is, and a zero has the same sign.</summary>
    public static bool IsExact(float scale, float minimum)
    {
        // In double precision the differences of halves are exact.
        double first = minimum - ((double)scale * Even), second = minimum - ((double)scale * Odd);
        return (float)first == first && (float)second == second && (minimum != 0 || !float.IsNegative(minimum));
    }
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
