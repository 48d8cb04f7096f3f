using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>Float32 panels of 32 outputs: W[32j + l, p] at (j·In + p)·32 + l. Four outputs are neighbours.</summary>
internal readonly struct FloatPanelOperand : IGemmOperand, IFrozenRows
{
    public static string Name => "panels";

    public static int Numbers => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPacket Fetch(GemmArguments a, int batch, int depth, int line, int lines, int index)
    {
        FrozenPlace place = new(a.Weight, depth, line, lines, index, 1);
        GemmPacket packet = default;
        if (place.Output < a.Weight.Outputs && place.Input < a.Weight.Inputs)
        {
            packet.Numbers = a.Weight.Floats.Fours()[At(a.Weight, place.Output, place.Input) >> 2];
        }

        return packet;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(GemmArguments a, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index) =>
        DenseOperand.Put(packet.Numbers, slice, start, a.Weight.Turned != 0, lines, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Value(FrozenView w, int output, int input) => w.Floats[At(w, output, input)];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int At(FrozenView w, int output, int input) =>
        (((output / GemmKernels.PanelWidth * w.Inputs) + input) * GemmKernels.PanelWidth) + (output % GemmKernels.PanelWidth);
}

/// <summary>Word panels of float16 and bfloat16.</summary>
internal readonly struct HalfPanelOperand : IGemmOperand, IPanelCodes
{
    public static string Name => "16 bits";

    public static int Numbers => 4 * InWord;

    public static int InWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Value(FrozenView w, uint word, int i, float scale, float minimum) => WordPanel.Number(w, (word >> (16 * i)) & 0xFFFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPacket Fetch(GemmArguments a, int batch, int depth, int line, int lines, int index) =>
        WordPackets<HalfPanelOperand>.Fetch(a.Weight, depth, line, lines, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(GemmArguments a, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index) =>
        WordPackets<HalfPanelOperand>.Put(a.Weight, packet, slice, start, depth, line, lines, index);
}

/// <summary>Word panels of codes of 8 bits with scales.</summary>
internal readonly struct BytePanelOperand : IGemmOperand, IPanelCodes
{
    public static string Name => "8 bits";

    public static int Numbers => 4 * InWord;

    public static int InWord => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Value(FrozenView w, uint word, int i, float scale, float minimum) =>
        WordPanel.Weight(w, (word >> (8 * ((i + 1) & 3))) & 0xFF, scale, minimum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPacket Fetch(GemmArguments a, int batch, int depth, int line, int lines, int index) =>
        WordPackets<BytePanelOperand>.Fetch(a.Weight, depth, line, lines, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(GemmArguments a, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index) =>
        WordPackets<BytePanelOperand>.Put(a.Weight, packet, slice, start, depth, line, lines, index);
}

/// <summary>Word panels of codes of 4 bits with scales.</summary>
internal readonly struct NibblePanelOperand : IGemmOperand, IPanelCodes
{
    public static string Name => "4 bits";

    public static int Numbers => 4 * InWord;

    public static int InWord => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Value(FrozenView w, uint word, int i, float scale, float minimum) =>
        WordPanel.Weight(w, (word >> (4 * i)) & 0xF, scale, minimum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPacket Fetch(GemmArguments a, int batch, int depth, int line, int lines, int index) =>
        WordPackets<NibblePanelOperand>.Fetch(a.Weight, depth, line, lines, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(GemmArguments a, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index) =>
        WordPackets<NibblePanelOperand>.Put(a.Weight, packet, slice, start, depth, line, lines, index);
}

/// <summary>What a word of a panel holds.</summary>
internal interface IPanelCodes
{
    /// <summary>Numbers in a word: of one output and as many inputs. A constant for the compiler.</summary>
    static abstract int InWord { get; }

    /// <summary>Number <paramref name="i"/> of a word.</summary>
    static abstract float Value(FrozenView w, uint word, int i, float scale, float minimum);
}

/// <summary>
/// Packets of word panels: one load of 128 bits brings the words of four outputs, one or two more their scales and minima, which
/// stay as they are stored until the packet is put down: so nothing waits for the loads before.
/// </summary>
/// <remarks>
/// <code>
///   y = x·Wᵀ: k are inputs, lines outputs                dx = dy·W: k are outputs, lines inputs
///   a packet is 4 lines and 2 to 8 of k:                 a packet is 4 of k and 2 to 8 lines:
///   a four of one k has a number of each word            a word's numbers lie side by side in one row
/// </code>
/// Banks, on the right side: threads store 64 bits each (float16) or 128 (8 bits) side by side and two rows 16 banks apart, no
/// two meet; of words of 4 bits, fours with a gap between them, so that two meet.
/// </remarks>
internal static class WordPackets<TCodes>
    where TCodes : struct, IPanelCodes
{
    private const int Lanes = FrozenWordPanels.Lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPacket Fetch(FrozenView w, int depth, int line, int lines, int index)
    {
        FrozenPlace place = new(w, depth, line, lines, index, TCodes.InWord);
        GemmPacket packet = default;
        if (place.Output >= w.Outputs || place.Input >= w.Inputs)
        {
            return packet;
        }

        ArrayView<Float4> words = w.Words.Fours();
        int lane = place.Output % Lanes;
        int group = place.Output / Lanes * w.Panel;
        if (TCodes.InWord == 2)
        {
            packet.Numbers = words[(group + (place.Input / 2 * Lanes) + lane) >> 2];
            return packet;
        }

        group += place.Input / w.GroupLength * w.GroupWords;
        packet.Numbers = words[(group + w.ScaleWords + (place.Input % w.GroupLength / TCodes.InWord * Lanes) + lane) >> 2];
        packet.Scales = words[(group + (w.Scaling >= (int)WordLayout.Scaling.Single ? lane : HalfBits.WordOf(lane))) >> 2];
        if (w.Scaling == (int)WordLayout.Scaling.HalfAndMinimum)
        {
            packet.Minima = words[(group + (Lanes / 2) + HalfBits.WordOf(lane)) >> 2];
        }

        if (w.Scaling == (int)WordLayout.Scaling.SingleAndMinimum)
        {
            packet.Minima = words[(group + Lanes + lane) >> 2];
        }

        return packet;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(FrozenView w, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index)
    {
        FrozenPlace place = new(w, depth, line, lines, index, TCodes.InWord);
        uint w0 = Interop.FloatAsInt(packet.Numbers.X);
        uint w1 = Interop.FloatAsInt(packet.Numbers.Y);
        uint w2 = Interop.FloatAsInt(packet.Numbers.Z);
        uint w3 = Interop.FloatAsInt(packet.Numbers.W);
        Float4 scales = packet.Scales;
        Float4 minima = packet.Minima;
        if (TCodes.InWord > 2 && w.Scaling < (int)WordLayout.Scaling.Single)
        {
            scales = WordPanel.Halves(scales, place.Output);
            minima = WordPanel.Halves(minima, place.Output);
        }

        if (TCodes.InWord == 2 && place.Input + 1 == w.Inputs)
        {
            // An odd number of inputs: nothing is said of the upper half of the last word.
            (w0, w1, w2, w3) = (w0 & 0xFFFF, w1 & 0xFFFF, w2 & 0xFFFF, w3 & 0xFFFF);
        }

        int stride = (lines >> 2) + 1;
        if (w.Turned != 0)
        {
            int at = start + ((place.Output - depth) * stride);
            int column = place.Input - line;
            PutRow(w, w0, scales.X, minima.X, slice, at, column);
            PutRow(w, w1, scales.Y, minima.Y, slice, at + stride, column);
            PutRow(w, w2, scales.Z, minima.Z, slice, at + (2 * stride), column);
            PutRow(w, w3, scales.W, minima.W, slice, at + (3 * stride), column);
        }
        else
        {
            int at = start + ((place.Input - depth) * stride) + ((place.Output - line) >> 2);
            for (int i = 0; i < TCodes.InWord; i++)
            {
                slice[at] = new Float4(
                    TCodes.Value(w, w0, i, scales.X, minima.X),
                    TCodes.Value(w, w1, i, scales.Y, minima.Y),
                    TCodes.Value(w, w2, i, scales.Z, minima.Z),
                    TCodes.Value(w, w3, i, scales.W, minima.W));
                at += stride;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutRow(FrozenView w, uint word, float scale, float minimum, ArrayView<Float4> slice, int row, int column)
    {
        if (TCodes.InWord == 2)
        {
            slice.Cast<Two>().AsAligned(2 * sizeof(float))[(2 * row) + (column >> 1)] =
                new Two(TCodes.Value(w, word, 0, scale, minimum), TCodes.Value(w, word, 1, scale, minimum));
            return;
        }

        for (int i = 0; i < TCodes.InWord; i += 4)
        {
            slice[row + ((column + i) >> 2)] = new Float4(
                TCodes.Value(w, word, i, scale, minimum),
                TCodes.Value(w, word, i + 1, scale, minimum),
                TCodes.Value(w, word, i + 2, scale, minimum),
                TCodes.Value(w, word, i + 3, scale, minimum));
        }
    }
}

/// <summary>Which outputs and inputs of a frozen weight a packet has: four outputs from here on, and the inputs of their words.</summary>
internal readonly struct FrozenPlace
{
    public readonly int Output;
    public readonly int Input;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrozenPlace(FrozenView w, int depth, int line, int lines, int index, int inWord)
    {
        if (w.Turned != 0)
        {
            GemmPlace place = GemmPlace.Along(index, lines / inWord);
            Output = depth + (4 * place.Packet);
            Input = line + (inWord * place.Other);
        }
        else
        {
            GemmPlace place = GemmPlace.Across(index, lines >> 2);
            Output = line + (4 * place.Packet);
            Input = depth + (inWord * place.Other);
        }
    }
}
