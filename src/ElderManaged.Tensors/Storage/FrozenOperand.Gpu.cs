using System.Runtime.CompilerServices;
using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>A copy of a frozen weight on a GPU, as a kernel sees it: the very bytes of the host's panels, and how to read them.</summary>
internal struct FrozenView
{
    public ArrayView<uint> Words;
    public ArrayView<float> Floats;
    public int Outputs;
    public int Inputs;

    /// <summary>Whether a product takes W as (Out, In), for dx = dy·W, instead of its transpose.</summary>
    public int Turned;

    // Of word panels, see WordLayout.cs; sizes in words.
    public int Panel;
    public int Bits;
    public int GroupLength;
    public int GroupWords;
    public int ScaleWords;
    public int Scaling;
    public int CodeOffset;
    public int IsBFloat;
}

/// <summary>Word panels of 64 outputs in a stored format, number by number.</summary>
internal readonly struct WordPanel : IFrozenRows
{
    private const int Lanes = FrozenWordPanels.Lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Value(FrozenView w, int output, int input)
    {
        int lane = output % Lanes;
        int panel = output / Lanes * w.Panel;
        if (w.GroupLength == 0)
        {
            uint two = w.Words[panel + (input / 2 * Lanes) + lane];
            return Number(w, (two >> (input % 2 * 16)) & 0xFFFF);
        }

        int group = panel + (input / w.GroupLength * w.GroupWords);
        int inGroup = input % w.GroupLength;
        int inWord = 32 / w.Bits;
        uint word = w.Words[group + w.ScaleWords + (inGroup / inWord * Lanes) + lane];
        int shift = w.Bits == 8 ? (inGroup + 1) % 4 * 8 : inGroup % 8 * 4;
        uint mask = w.Bits == 8 ? 0xFFu : 0xFu;
        return Weight(w, (word >> shift) & mask, Scale(w, group, lane), Minimum(w, group, lane));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Weight(FrozenView w, uint code, float scale, float minimum) => GpuMath.Fma(scale, (int)code + w.CodeOffset, minimum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Number(FrozenView w, uint bits) => w.IsBFloat != 0 ? Interop.IntAsFloat(bits << 16) : FloatOfHalf(bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Scale(FrozenView w, int group, int lane) =>
        w.Scaling >= (int)WordLayout.Scaling.Single ? Interop.IntAsFloat(w.Words[group + lane]) : HalfAt(w, group, lane);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Minimum(FrozenView w, int group, int lane)
    {
        if (w.Scaling == (int)WordLayout.Scaling.HalfAndMinimum)
        {
            return HalfAt(w, group + (Lanes / 2), lane);
        }

        return w.Scaling == (int)WordLayout.Scaling.SingleAndMinimum ? Interop.IntAsFloat(w.Words[group + Lanes + lane]) : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float HalfAt(FrozenView w, int scales, int lane)
    {
        uint two = w.Words[scales + HalfBits.WordOf(lane)];
        return FloatOfHalf((lane & 16) != 0 ? two >> 16 : two & 0xFFFF);
    }

    /// <summary>Of four words with the scales of lanes, which are halves, those of four neighbours from <paramref name="lane"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float4 Halves(Float4 words, int lane)
    {
        int shift = lane & 16; // the upper half of a word has its second sixteen lanes
        return new(Half(words.X, shift), Half(words.Y, shift), Half(words.Z, shift), Half(words.W, shift));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Half(float word, int shift) => FloatOfHalf((Interop.FloatAsInt(word) >> shift) & 0xFFFF);

    // As HalfBits.Upper, with infinities and NaN: exponent and mantissa moved into place and the bias added; where the half is
    // subnormal the implied one is too much, and the value is 2n - 2⁻¹⁴, which is then the smaller of the two.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float FloatOfHalf(uint half)
    {
        uint magnitude = (half & 0x7FFF) << 13;
        float n = Interop.IntAsFloat(magnitude + ((127 - 15) << 23));
        float corrected = (n * 2f) - 6.103515625e-5f;
        uint bits = Interop.FloatAsInt(corrected < n ? corrected : n);
        if ((half & 0x7C00) == 0x7C00)
        {
            bits = magnitude | 0x7F80_0000;
        }

        return Interop.IntAsFloat(bits | ((half & 0x8000) << 16));
    }
}

/// <summary>One number of a frozen weight, for its use as an embedding.</summary>
internal interface IFrozenRows
{
    static abstract float Value(FrozenView w, int output, int input);
}
