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

/// <summary>Float32 panels of 32 outputs: W[32j + l, p] at (j·In + p)·32 + l.</summary>
internal readonly struct FloatPanelOperand : IGemmOperand, IFrozenRows
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(GemmArguments a, int batch, int depth, int column, ArrayView<float> slice, int offset, int thread)
    {
        FrozenSlice place = new(a.Weight, depth, column, offset, thread);
        for (int i = 0; i < 4; i++)
        {
            slice[place.At + (i * place.Step)] = Value(a.Weight, place.Output, place.Input + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Value(FrozenView w, int output, int input) =>
        output < w.Outputs && input < w.Inputs
            ? w.Floats[((((output / GemmKernels.PanelWidth) * w.Inputs) + input) * GemmKernels.PanelWidth) + (output % GemmKernels.PanelWidth)]
            : 0;
}

/// <summary>
/// Word panels of 64 outputs in a stored format. Each thread takes four numbers of one output, which share a scale: one or two words.
/// </summary>
internal readonly struct WordPanelOperand : IGemmOperand, IFrozenRows
{
    private const int Lanes = FrozenWordPanels.Lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(GemmArguments a, int batch, int depth, int column, ArrayView<float> slice, int offset, int thread)
    {
        FrozenView w = a.Weight;
        FrozenSlice place = new(w, depth, column, offset, thread);
        int at = place.At;
        int step = place.Step;
        if (place.Output >= w.Outputs || place.Input >= w.Inputs)
        {
            slice[at] = 0;
            slice[at + step] = 0;
            slice[at + (2 * step)] = 0;
            slice[at + (3 * step)] = 0;
            return;
        }

        int lane = place.Output % Lanes;
        int panel = place.Output / Lanes * w.Panel;
        int input = place.Input;
        if (w.GroupLength == 0)
        {
            // Inputs need not be a multiple of four here: what lies beyond is 0.
            int first = panel + (input / 2 * Lanes) + lane;
            uint low = w.Words[first];
            uint high = input + 2 < w.Inputs ? w.Words[first + Lanes] : 0;
            slice[at] = Number(w, low & 0xFFFF);
            slice[at + step] = input + 1 < w.Inputs ? Number(w, low >> 16) : 0;
            slice[at + (2 * step)] = Number(w, high & 0xFFFF);
            slice[at + (3 * step)] = input + 3 < w.Inputs ? Number(w, high >> 16) : 0;
            return;
        }

        int group = panel + (input / w.GroupLength * w.GroupWords);
        int inGroup = input % w.GroupLength;
        float scale = Scale(w, group, lane);
        float minimum = Minimum(w, group, lane);
        int words = group + w.ScaleWords + lane;
        if (w.Bits == 8)
        {
            uint word = w.Words[words + (inGroup / 4 * Lanes)];
            slice[at] = Weight(w, (word >> 8) & 0xFF, scale, minimum);
            slice[at + step] = Weight(w, (word >> 16) & 0xFF, scale, minimum);
            slice[at + (2 * step)] = Weight(w, word >> 24, scale, minimum);
            slice[at + (3 * step)] = Weight(w, word & 0xFF, scale, minimum);
        }
        else
        {
            uint word = w.Words[words + (inGroup / 8 * Lanes)] >> (inGroup % 8 * 4);
            slice[at] = Weight(w, word & 0xF, scale, minimum);
            slice[at + step] = Weight(w, (word >> 4) & 0xF, scale, minimum);
            slice[at + (2 * step)] = Weight(w, (word >> 8) & 0xF, scale, minimum);
            slice[at + (3 * step)] = Weight(w, (word >> 12) & 0xF, scale, minimum);
        }
    }

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
    private static float Weight(FrozenView w, uint code, float scale, float minimum) => GpuMath.Fma(scale, (int)code + w.CodeOffset, minimum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Number(FrozenView w, uint bits) => w.IsBFloat != 0 ? Interop.IntAsFloat(bits << 16) : FloatOfHalf(bits);

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

/// <summary>Which four numbers of a frozen weight a thread brings to a slice, and where they go.</summary>
/// <remarks>
/// <code>
///   y = x·Wᵀ: k are inputs, columns outputs            dx = dy·W: k are outputs, columns inputs
///   64 threads a row of words, four k each             16 threads a row of words, four columns each
/// </code>
/// </remarks>
internal readonly struct FrozenSlice
{
    public readonly int Output;
    public readonly int Input;
    public readonly int At;
    public readonly int Step;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrozenSlice(FrozenView w, int depth, int column, int offset, int thread)
    {
        if (w.Turned != 0)
        {
            int p = thread & 15;
            int four = 4 * (thread >> 4);
            Output = depth + p;
            Input = column + four;
            At = offset + (p * GemmGpu.Stride) + four;
            Step = 1;
        }
        else
        {
            int lane = thread & 63;
            int four = 4 * (thread >> 6);
            Output = column + lane;
            Input = depth + four;
            At = offset + (four * GemmGpu.Stride) + lane;
            Step = GemmGpu.Stride;
        }
    }
}

/// <summary>One number of a frozen weight, for its use as an embedding.</summary>
internal interface IFrozenRows
{
    static abstract float Value(FrozenView w, int output, int input);
}
