using System.Buffers.Binary;

namespace ElderManaged.Models.Tests.Checkpoints.Gguf;

/// <summary>The block formats of GGUF, written from their definition (ggml-quants.c) once more, as the plain twin of what the program reads.</summary>
internal static class PlainBlocks
{
    /// <summary>One block of a format as float32.</summary>
    public static float[] Dequantize(uint ggmlType, ReadOnlySpan<byte> block)
    {
        float[] values = new float[ggmlType >= 10 ? 256 : 32];
        switch (ggmlType)
        {
            case 2: Q4_0(block, values); break;
            case 3: Q4_1(block, values); break;
            case 6: Q5_0(block, values); break;
            case 7: Q5_1(block, values); break;
            case 8: Q8_0(block, values); break;
            case 12: Q4_K(block, values); break;
            case 14: Q6_K(block, values); break;
            default: throw new ArgumentOutOfRangeException(nameof(ggmlType));
        }

        return values;
    }

    private static float Scale(ReadOnlySpan<byte> block, int at) => (float)BinaryPrimitives.ReadHalfLittleEndian(block[at..]);

    // [d: float16][16 bytes: element i low, element 16 + i high] · value = d · (q − 8)
    private static void Q4_0(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Scale(block, 0);
        for (int i = 0; i < 16; i++)
        {
            int q = block[2 + i];
            y[i] = ((q & 15) - 8) * d;
            y[16 + i] = ((q >> 4) - 8) * d;
        }
    }

    // [d][m][16 bytes as above] · value = d · q + m
    private static void Q4_1(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Scale(block, 0), m = Scale(block, 2);
        for (int i = 0; i < 16; i++)
        {
            int q = block[4 + i];
            y[i] = ((q & 15) * d) + m;
            y[16 + i] = ((q >> 4) * d) + m;
        }
    }

    // [d][32 fifth bits, element i in bit i][16 bytes as above] · value = d · (q − 16)
    private static void Q5_0(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Scale(block, 0);
        uint high = BinaryPrimitives.ReadUInt32LittleEndian(block[2..]);
        for (int i = 0; i < 16; i++)
        {
            int q = block[6 + i];
            y[i] = (((q & 15) | Fifth(high, i)) - 16) * d;
            y[16 + i] = (((q >> 4) | Fifth(high, 16 + i)) - 16) * d;
        }
    }

    // [d][m][32 fifth bits][16 bytes] · value = d · q + m
    private static void Q5_1(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Scale(block, 0), m = Scale(block, 2);
        uint high = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        for (int i = 0; i < 16; i++)
        {
            int q = block[8 + i];
            y[i] = (((q & 15) | Fifth(high, i)) * d) + m;
            y[16 + i] = (((q >> 4) | Fifth(high, 16 + i)) * d) + m;
        }
    }

    private static int Fifth(uint high, int i) => (int)((high >> i) & 1) << 4;

    // [d][32 signed bytes] · value = d · q
    private static void Q8_0(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Scale(block, 0);
        for (int i = 0; i < 32; i++)
        {
            y[i] = (sbyte)block[2 + i] * d;
        }
    }

    // [d][dmin][12 bytes: 8 scales and 8 minima of 6 bits][128 bytes] · four pieces of 64: the low halves of 32 bytes are
    // the first 32 elements, the high halves the next 32, each 32 with their own scale · value = (d · s) · q − (dmin · m)
    private static void Q4_K(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Scale(block, 0), least = Scale(block, 2);
        ReadOnlySpan<byte> scales = block.Slice(4, 12), quants = block[16..];
        for (int part = 0; part < 8; part++)
        {
            (int s, int m) = SixBits(scales, part);
            float scale = d * s, minimum = least * m;
            ReadOnlySpan<byte> from = quants.Slice(part / 2 * 32, 32);
            Span<float> to = y.Slice(part * 32, 32);
            int shift = part % 2 * 4;
            for (int i = 0; i < 32; i++)
            {
                to[i] = (scale * ((from[i] >> shift) & 15)) - minimum;
            }
        }
    }

    // Parts 0–3: six low bits of bytes 0–3 and 4–7. Parts 4–7: four bits from bytes 8–11 (scale low, minimum high), and
    // the two bits left over at the top of bytes 0–3 and 4–7.
    private static (int Scale, int Minimum) SixBits(ReadOnlySpan<byte> packed, int part) => part < 4
        ? (packed[part] & 63, packed[part + 4] & 63)
        : ((packed[part + 4] & 15) | (packed[part - 4] >> 6 << 4), (packed[part + 4] >> 4) | (packed[part] >> 6 << 4));

    // [128 bytes: low four bits][64 bytes: high two bits][16 signed scales][d] · two halves of 128 elements; within one,
    // element 32·g + i has its low bits in byte 32·(g mod 2) + i (low half of the byte for g < 2) and its high bits in
    // byte i at bit 2·g; scale number 2·g + i / 16 · value = (d · s) · (q − 32)
    private static void Q6_K(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Scale(block, 208);
        for (int half = 0; half < 2; half++)
        {
            ReadOnlySpan<byte> low = block.Slice(half * 64, 64), high = block.Slice(128 + (half * 32), 32), scales = block.Slice(192 + (half * 8), 8);
            for (int group = 0; group < 4; group++)
            {
                Span<float> to = y.Slice((half * 128) + (group * 32), 32);
                for (int i = 0; i < 32; i++)
                {
                    int four = (low[(group % 2 * 32) + i] >> (group / 2 * 4)) & 15;
                    int two = (high[i] >> (2 * group)) & 3;
                    to[i] = d * (sbyte)scales[(2 * group) + (i / 16)] * ((four | (two << 4)) - 32);
                }
            }
        }
    }
}
