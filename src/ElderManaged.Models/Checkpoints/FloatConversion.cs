using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace ElderManaged.Models.Checkpoints;

/// <summary>Conversions between float32 and the two half-width formats.</summary>
public static class FloatConversion
{
    /// <summary>Widens bfloat16 bit patterns; exact.</summary>
    /// <param name="source">bfloat16 bit patterns.</param>
    /// <param name="destination">As long as <paramref name="source"/>.</param>
    public static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        for (int i = 0; i < source.Length; i++)
        {
            bits[i] = (uint)source[i] << 16;
        }
    }

    /// <summary>Narrows to bfloat16, rounding to the nearest, ties to even. NaN stays NaN; what is too large becomes infinity.</summary>
    /// <param name="source">The values.</param>
    /// <param name="destination">bfloat16 bit patterns, as long as <paramref name="source"/>.</param>
    public static void ToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(source);
        for (int i = 0; i < bits.Length; i++)
        {
            uint x = bits[i];
            bool isNaN = (x & 0x7FFF_FFFF) > 0x7F80_0000;

            // Adding 0x7FFF, plus one when the kept part is odd, carries exactly when the cut part is more than half, or
            // half with an odd kept part. A NaN could carry over to infinity, so it is only cut and made quiet.
            destination[i] = isNaN
                ? (ushort)((x >> 16) | 0x0040)
                : (ushort)((x + 0x7FFF + ((x >> 16) & 1)) >> 16);
        }
    }

    /// <summary>Widens IEEE half precision; exact.</summary>
    /// <param name="source">The values.</param>
    /// <param name="destination">As long as <paramref name="source"/>.</param>
    public static void FromFloat16(ReadOnlySpan<Half> source, Span<float> destination) =>
        TensorPrimitives.ConvertToSingle(source, destination);

    /// <summary>Narrows to IEEE half precision, rounding to the nearest, ties to even; what is too large becomes infinity.</summary>
    /// <param name="source">The values.</param>
    /// <param name="destination">As long as <paramref name="source"/>.</param>
    public static void ToFloat16(ReadOnlySpan<float> source, Span<Half> destination) =>
        TensorPrimitives.ConvertToHalf(source, destination);
}
