using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>
/// What the formats of <see cref="StoredNumbers"/> mean, in plain code: one block after the other, read and written as GGML
/// defines them. The kernels of <see cref="FrozenMatrix"/> give exactly these numbers.
/// </summary>
public static class StoredBlocks
{
    /// <summary>Reads stored numbers as float32. What a format can say, float32 can say: only Q4_1, Q5_1 and the K formats round (once).</summary>
    /// <param name="numbers">The format.</param>
    /// <param name="stored">Whole blocks, little-endian.</param>
    /// <param name="values">As many values as the blocks hold.</param>
    /// <exception cref="ArgumentException">The lengths disagree.</exception>
    public static void Dequantize(StoredNumbers numbers, ReadOnlySpan<byte> stored, Span<float> values)
    {
        Check(numbers, stored.Length, values.Length);
        int length = numbers.BlockLength();
        int bytes = numbers.BlockBytes();
        if (length == 1)
        {
            Widen(numbers, stored, values);
            return;
        }

        Span<sbyte> codes = stackalloc sbyte[256];
        Span<float> scales = stackalloc float[16];
        Span<float> minima = stackalloc float[16];
        for (int start = 0, at = 0; start < values.Length; start += length, at += bytes)
        {
            Split(numbers, stored.Slice(at, bytes), codes, scales, minima);
            int group = GroupLength(numbers);
            for (int i = 0; i < length; i++)
            {
                values[start + i] = MathF.FusedMultiplyAdd(scales[i / group], codes[i], minima[i / group]);
            }
        }
    }

    /// <summary>Rounds float32 values to a format, each to the nearest code. Not for Q5 and the K formats, which are only read.</summary>
    /// <param name="numbers">The format.</param>
    /// <param name="values">Whole blocks of values.</param>
    /// <param name="stored">Exactly the bytes that the blocks take.</param>
    /// <exception cref="ArgumentException">The lengths disagree.</exception>
    /// <exception cref="NotSupportedException">The format is only read.</exception>
    public static void Quantize(StoredNumbers numbers, ReadOnlySpan<float> values, Span<byte> stored)
    {
        Check(numbers, stored.Length, values.Length);
        int length = numbers.BlockLength();
        int bytes = numbers.BlockBytes();
        for (int start = 0, at = 0; start < values.Length; start += length, at += bytes)
        {
            ReadOnlySpan<float> block = values.Slice(start, length);
            Span<byte> target = stored.Slice(at, bytes);
            switch (numbers)
            {
                case StoredNumbers.Float32:
                    BinaryPrimitives.WriteSingleLittleEndian(target, block[0]);
                    break;
                case StoredNumbers.Float16:
                    BinaryPrimitives.WriteHalfLittleEndian(target, (Half)block[0]);
                    break;
                case StoredNumbers.BFloat16:
                    BinaryPrimitives.WriteUInt16LittleEndian(target, NarrowToBFloat16(block[0]));
                    break;
                case StoredNumbers.Q8_0:
                    QuantizeQ8(block, target);
                    break;
                case StoredNumbers.Q4_0:
                    QuantizeQ4(block, target);
                    break;
                case StoredNumbers.Q4_1:
                    QuantizeQ4WithMinimum(block, target);
                    break;
                default:
                    throw new NotSupportedException($"{numbers} is read but not written; write Q8_0, Q4_0 or Q4_1.");
            }
        }
    }

    /// <summary>How many numbers share a scale.</summary>
    internal static int GroupLength(StoredNumbers numbers) => numbers == StoredNumbers.Q6_K ? 16 : 32;

    /// <summary>
    /// Takes one block apart: value = scale·code + minimum, with the scale and minimum of the code's group. The minimum of
    /// formats without one is 0 (Q4_0, Q5_0 and Q6_K, whose codes have an offset, come out with signed codes).
    /// </summary>
    internal static void Split(StoredNumbers numbers, ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        switch (numbers)
        {
            case StoredNumbers.Q8_0:
                (scales[0], minima[0]) = (Scale(block, 0), 0f);
                MemoryMarshal.Cast<byte, sbyte>(block.Slice(2, 32)).CopyTo(codes);
                break;
            case StoredNumbers.Q4_0:
                (scales[0], minima[0]) = (Scale(block, 0), 0f);
                Nibbles(block.Slice(2, 16), codes, -8);
                break;
            case StoredNumbers.Q4_1:
                (scales[0], minima[0]) = (Scale(block, 0), Scale(block, 2));
                Nibbles(block.Slice(4, 16), codes, 0);
                break;
            case StoredNumbers.Q5_0:
                (scales[0], minima[0]) = (Scale(block, 0), 0f);
                Nibbles(block.Slice(6, 16), codes, -16);
                FifthBits(BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(2, 4)), codes);
                break;
            case StoredNumbers.Q5_1:
                (scales[0], minima[0]) = (Scale(block, 0), Scale(block, 2));
                Nibbles(block.Slice(8, 16), codes, 0);
                FifthBits(BinaryPrimitives.ReadUInt32LittleEndian(block.Slice(4, 4)), codes);
                break;
            case StoredNumbers.Q4_K:
                SplitQ4K(block, codes, scales, minima);
                break;
            case StoredNumbers.Q6_K:
                SplitQ6K(block, codes, scales, minima);
                break;
            default:
                throw StoredNumbersSizes.Unknown(numbers);
        }
    }

    // The low halves of the bytes are the first half of the numbers, the high halves the second.
    private static void Nibbles(ReadOnlySpan<byte> packed, Span<sbyte> codes, int offset)
    {
        for (int i = 0; i < packed.Length; i++)
        {
            codes[i] = (sbyte)((packed[i] & 15) + offset);
            codes[i + packed.Length] = (sbyte)((packed[i] >> 4) + offset);
        }
    }

    private static void FifthBits(uint bits, Span<sbyte> codes)
    {
        for (int i = 0; i < 32; i++)
        {
            codes[i] += (sbyte)((bits >> i & 1) << 4);
        }
    }

    // d, m, 12 bytes with eight 6-bit factors for d and eight for m, 128 bytes of nibbles: 64 numbers in each 32 bytes.
    private static void SplitQ4K(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        float d = Scale(block, 0);
        float m = Scale(block, 2);
        ReadOnlySpan<byte> packed = block.Slice(4, 12);
        for (int group = 0; group < 8; group++)
        {
            int factor = group < 4 ? packed[group] & 63 : (packed[group + 4] & 15) | (packed[group - 4] >> 6 << 4);
            int minimum = group < 4 ? packed[group + 4] & 63 : (packed[group + 4] >> 4) | (packed[group] >> 6 << 4);
            scales[group] = d * factor;
            minima[group] = -(m * minimum);
        }

        for (int pair = 0; pair < 4; pair++)
        {
            Nibbles(block.Slice(16 + (pair * 32), 32), codes.Slice(pair * 64, 64), 0);
        }
    }

    // 128 bytes with the lower 4 bits, 64 bytes with the upper 2, 16 signed factors, d; in halves of 128 numbers.
    private static void SplitQ6K(ReadOnlySpan<byte> block, Span<sbyte> codes, Span<float> scales, Span<float> minima)
    {
        float d = Scale(block, 208);
        for (int group = 0; group < 16; group++)
        {
            (scales[group], minima[group]) = (d * (sbyte)block[192 + group], 0f);
        }

        for (int half = 0; half < 2; half++)
        {
            ReadOnlySpan<byte> low = block.Slice(half * 64, 64);
            ReadOnlySpan<byte> high = block.Slice(128 + (half * 32), 32);
            Span<sbyte> to = codes.Slice(half * 128, 128);
            for (int i = 0; i < 32; i++)
            {
                to[i] = (sbyte)(((low[i] & 15) | ((high[i] & 3) << 4)) - 32);
                to[i + 32] = (sbyte)(((low[i + 32] & 15) | ((high[i] >> 2 & 3) << 4)) - 32);
                to[i + 64] = (sbyte)(((low[i] >> 4) | ((high[i] >> 4 & 3) << 4)) - 32);
                to[i + 96] = (sbyte)(((low[i + 32] >> 4) | ((high[i] >> 6) << 4)) - 32);
            }
        }
    }

    private static void QuantizeQ8(ReadOnlySpan<float> block, Span<byte> target)
    {
        float largest = 0;
        foreach (float value in block)
        {
            largest = MathF.Max(largest, MathF.Abs(value));
        }

        float d = largest / 127;
        float inverse = d != 0 ? 1 / d : 0;
        BinaryPrimitives.WriteHalfLittleEndian(target, (Half)d);
        for (int i = 0; i < 32; i++)
        {
            target[2 + i] = (byte)(sbyte)MathF.Round(block[i] * inverse, MidpointRounding.AwayFromZero);
        }
    }

    // d has the sign that puts the number of the largest size at code 0, the end of the range that reaches further.
    private static void QuantizeQ4(ReadOnlySpan<float> block, Span<byte> target)
    {
        float largest = 0;
        float d = 0;
        foreach (float value in block)
        {
            if (largest < MathF.Abs(value))
            {
                (largest, d) = (MathF.Abs(value), value / -8);
            }
        }

        float inverse = d != 0 ? 1 / d : 0;
        BinaryPrimitives.WriteHalfLittleEndian(target, (Half)d);
        for (int i = 0; i < 16; i++)
        {
            int low = Math.Min(15, (int)((block[i] * inverse) + 8.5f));
            int high = Math.Min(15, (int)((block[i + 16] * inverse) + 8.5f));
            target[2 + i] = (byte)(low | (high << 4));
        }
    }

    private static void QuantizeQ4WithMinimum(ReadOnlySpan<float> block, Span<byte> target)
    {
        (float smallest, float largest) = (float.MaxValue, float.MinValue);
        foreach (float value in block)
        {
            smallest = value < smallest ? value : smallest;
            largest = value > largest ? value : largest;
        }

        float d = (largest - smallest) / 15;
        float inverse = d != 0 ? 1 / d : 0;
        BinaryPrimitives.WriteHalfLittleEndian(target, (Half)d);
        BinaryPrimitives.WriteHalfLittleEndian(target[2..], (Half)smallest);
        for (int i = 0; i < 16; i++)
        {
            int low = Math.Min(15, (int)(((block[i] - smallest) * inverse) + 0.5f));
            int high = Math.Min(15, (int)(((block[i + 16] - smallest) * inverse) + 0.5f));
            target[4 + i] = (byte)(low | (high << 4));
        }
    }

    private static void Widen(StoredNumbers numbers, ReadOnlySpan<byte> stored, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = numbers switch
            {
                StoredNumbers.Float32 => BinaryPrimitives.ReadSingleLittleEndian(stored.Slice(i * 4, 4)),
                StoredNumbers.Float16 => Scale(stored, i * 2),
                _ => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(stored.Slice(i * 2, 2)) << 16),
            };
        }
    }

    private static float Scale(ReadOnlySpan<byte> bytes, int at) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes.Slice(at, 2));

    // To the nearest, ties to even; a NaN is only cut, and made quiet, because rounding could carry it over to infinity.
    private static ushort NarrowToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static void Check(StoredNumbers numbers, int bytes, int count)
    {
        long needed = numbers.ByteCount(count);
        if (bytes != needed)
        {
            throw new ArgumentException($"{count} numbers as {numbers} take {needed} bytes, but the span holds {bytes}.");
        }
    }
}
