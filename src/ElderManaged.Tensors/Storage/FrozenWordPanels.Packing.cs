using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

// Filling the panels, in pieces of any size, from the order of checkpoints.
internal sealed unsafe partial class FrozenWordPanels
{
    /// <summary>Words of a cache line.</summary>
    public const int InLine = 16;

    private const ushort Exponent = 0x7C00; // all bits of float16's exponent

    /// <summary>Whole rows of W (Out, In) from <paramref name="firstOutput"/> on; threads share the panels.</summary>
    public void FillRows(int firstOutput, ReadOnlySpan<byte> stored)
    {
        int rowBytes = checked((int)_numbers.ByteCount(InFeatures));
        int end = firstOutput + (stored.Length / rowBytes);
        int firstGroup = firstOutput / Lanes;
        fixed (byte* source = stored)
        {
            // Rows that share lines of a panel go together, so that a line is written at once.
            CpuThreads.Run(((end + Lanes - 1) / Lanes) - firstGroup, (Panels: this, Source: (nint)source, firstOutput, end, firstGroup, rowBytes), static (s, part) =>
            {
                int output = Math.Max(s.firstOutput, (s.firstGroup + part) * Lanes);
                int end = Math.Min(s.end, (s.firstGroup + part + 1) * Lanes);
                for (int together; output < end; output += together)
                {
                    together = Math.Min(end - output, InLine - (output % InLine));
                    byte* first = (byte*)s.Source + ((nint)(output - s.firstOutput) * s.rowBytes);
                    if (s.Panels._layout.GroupLength == 0)
                    {
                        s.Panels.FillPlain(output, first, s.rowBytes, together);
                    }
                    else
                    {
                        s.Panels.FillBlocks(output, first, s.rowBytes, together);
                    }
                }
            });
        }

        GC.KeepAlive(this);
    }

    /// <summary>Whole rows of Wᵀ (In, Out) from <paramref name="firstInput"/> on; for the plain formats. Threads share the panels.</summary>
    public void FillColumns(int firstInput, ReadOnlySpan<byte> stored)
    {
        int inputs = stored.Length / (OutFeatures * sizeof(ushort));
        fixed (byte* source = stored)
        {
            CpuThreads.Run((OutFeatures + Lanes - 1) / Lanes, (Panels: this, Source: (nint)source, firstInput, inputs), static (s, part) =>
                s.Panels.FillColumns(part, s.firstInput, (ushort*)s.Source + (part * Lanes), s.inputs));
        }

        GC.KeepAlive(this);
    }

    // One panel. A word of a lane holds the numbers of two neighbouring inputs, of which the first is the lower half:
    //
    //   row k      a b c d …          word of lane 0: (k, a) (k + 1, e)
    //   row k + 1  e f g h …          word of lane 1: (k, b) (k + 1, f) …
    //
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FillColumns(int group, int firstInput, ushort* numbers, int inputs)
    {
        byte* panel = Panel(group);
        int lanes = Math.Min(Lanes, OutFeatures - (group * Lanes));
        int k = firstInput, end = firstInput + inputs;
        bool special = false;
        if (lanes == Lanes && k % 2 == 0)
        {
            Vector256<ushort> exponents = Vector256<ushort>.Zero;
            for (; k + 2 <= end; k += 2, numbers += 2 * (nint)OutFeatures)
            {
                uint* words = _layout.Word(panel, 0, k);
                for (int lane = 0; lane < Lanes; lane += Vector256<ushort>.Count)
                {
                    Vector256<ushort> even = Vector256.Load(numbers + lane);
                    Vector256<ushort> odd = Vector256.Load(numbers + OutFeatures + lane);
                    exponents |= Infinite(even) | Infinite(odd);
                    (Vector256.WidenLower(even) | (Vector256.WidenLower(odd) << 16)).Store(words + lane);
                    (Vector256.WidenUpper(even) | (Vector256.WidenUpper(odd) << 16)).Store(words + lane + Vector256<uint>.Count);
                }
            }

            special = _numbers == StoredNumbers.Float16 && exponents != Vector256<ushort>.Zero;
        }

        for (; k < end; k++, numbers += OutFeatures)
        {
            uint* words = _layout.Word(panel, 0, k);
            ReadOnlySpan<ushort> row = new(numbers, lanes);
            special |= HasSpecial(row);
            for (int lane = 0; lane < row.Length; lane++)
            {
                // The first of a pair also clears the second, which does not come where the inputs are odd.
                words[lane] = k % 2 == 0 ? row[lane] : (words[lane] & 0xFFFF) | ((uint)row[lane] << 16);
            }
        }

        if (special)
        {
            _special[group] = true;
        }
    }

    private void FillPlain(int output, byte* source, int rowBytes, int rows)
    {
        uint* words = _layout.Word(Panel(output / Lanes), output % Lanes, 0);
        int pairs = InFeatures / 2;
        if (InFeatures % 2 == 0)
        {
            // Two numbers are as wide as a float; turning moves bits and does not look at them.
            GemmPacking.Transpose((float*)source, rowBytes / sizeof(float), rows, pairs, (float*)words, Lanes);
        }
        else
        {
            for (int pair = 0; pair < pairs; pair++, words += Lanes)
            {
                for (int row = 0; row < rows; row++)
                {
                    words[row] = *(uint*)(source + ((nint)row * rowBytes) + ((nint)pair * sizeof(uint)));
                }
            }
        }

        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<ushort> numbers = new(source + ((nint)row * rowBytes), InFeatures);
            if (InFeatures % 2 != 0)
            {
                words[row] = numbers[^1];
            }

            if (HasSpecial(numbers))
            {
                _special[output / Lanes] = true;
            }
        }
    }

    private void FillBlocks(int output, byte* source, int rowBytes, int rows)
    {
        int length = _numbers.BlockLength();
        int bytes = _numbers.BlockBytes();
        int group = _layout.GroupLength;
        Span<sbyte> codes = stackalloc sbyte[256];
        Span<float> scales = stackalloc float[16];
        Span<float> minima = stackalloc float[16];
        byte* panel = Panel(output / Lanes);
        for (int k = 0; k < InFeatures; k += length, source += bytes)
        {
            for (int row = 0; row < rows; row++)
            {
                StoredBlocks.Split(_numbers, new ReadOnlySpan<byte>(source + ((nint)row * rowBytes), bytes), codes, scales, minima);
                for (int i = 0; i < length; i += group)
                {
                    if (!_layout.Write(panel, (output + row) % Lanes, k + i, codes.Slice(i, group), scales[i / group], minima[i / group]))
                    {
                        _special[output / Lanes] = true;
                    }

                    if (_numbers == StoredNumbers.Q4_1 && !HighNibbleCodes.IsExact(scales[i / group], minima[i / group]))
                    {
                        _rounded[output / Lanes] = true;
                    }
                }
            }
        }
    }

    // Float16's infinities and NaNs are the numbers whose exponent is all ones.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool HasSpecial(ReadOnlySpan<ushort> numbers)
    {
        if (_numbers != StoredNumbers.Float16)
        {
            return false;
        }

        int i = 0;
        Vector256<ushort> found = Vector256<ushort>.Zero;
        for (; i <= numbers.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            found |= Infinite(Vector256.Create(numbers[i..]));
        }

        bool special = found != Vector256<ushort>.Zero;
        for (; i < numbers.Length; i++)
        {
            special |= (numbers[i] & Exponent) == Exponent;
        }

        return special;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Infinite(Vector256<ushort> numbers) =>
        Vector256.Equals(numbers & Vector256.Create(Exponent), Vector256.Create(Exponent));
}
