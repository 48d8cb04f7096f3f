using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

// Filling the panels, in pieces of any size, from the order of checkpoints.
internal sealed unsafe partial class FrozenWordPanels
{
    /// <summary>Whole rows of W (Out, In) from <paramref name="firstOutput"/> on.</summary>
    public void FillRows(int firstOutput, ReadOnlySpan<byte> stored)
    {
        int rowBytes = checked((int)_numbers.ByteCount(InFeatures));
        int rows = stored.Length / rowBytes;
        fixed (byte* source = stored)
        {
            for (int row = 0; row < rows;)
            {
                // Rows that share lines of a panel go together, so that a line is written at once.
                int output = firstOutput + row;
                int together = Math.Min(rows - row, 16 - (output % 16));
                byte* first = source + ((nint)row * rowBytes);
                if (_layout.GroupLength == 0)
                {
                    FillPlain(output, first, rowBytes, together);
                }
                else
                {
                    FillBlocks(output, first, rowBytes, together);
                }

                row += together;
            }
        }

        GC.KeepAlive(this);
    }

    /// <summary>Whole rows of Wᵀ (In, Out) from <paramref name="firstInput"/> on; for the plain formats.</summary>
    public void FillColumns(int firstInput, ReadOnlySpan<byte> stored)
    {
        ReadOnlySpan<ushort> numbers = MemoryMarshal.Cast<byte, ushort>(stored);
        for (int k = firstInput; numbers.Length > 0; k++)
        {
            for (int output = 0; output < OutFeatures; output++)
            {
                uint* word = _layout.Word(Panel(output / Lanes), output % Lanes, k);
                ushort number = numbers[output];

                // The first of a pair also clears the second, which does not come where the inputs are odd.
                *word = k % 2 == 0 ? number : (*word & 0xFFFF) | ((uint)number << 16);
                NoteSpecial(output, number);
            }

            numbers = numbers[OutFeatures..];
        }

        GC.KeepAlive(this);
    }

    private void FillPlain(int output, byte* source, int rowBytes, int rows)
    {
        uint* words = _layout.Word(Panel(output / Lanes), output % Lanes, 0);
        int pairs = InFeatures / 2;
        for (int pair = 0; pair < pairs; pair++, words += Lanes)
        {
            for (int row = 0; row < rows; row++)
            {
                words[row] = *(uint*)(source + ((nint)row * rowBytes) + ((nint)pair * sizeof(uint)));
            }
        }

        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<ushort> numbers = new(source + ((nint)row * rowBytes), InFeatures);
            if (InFeatures % 2 != 0)
            {
                words[row] = numbers[^1];
            }

            foreach (ushort number in numbers)
            {
                NoteSpecial(output, number);
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
                }
            }
        }
    }

    private void NoteSpecial(int output, ushort number)
    {
        if ((number & 0x7C00) == 0x7C00 && _numbers == StoredNumbers.Float16)
        {
            _special[output / Lanes] = true;
        }
    }
}
