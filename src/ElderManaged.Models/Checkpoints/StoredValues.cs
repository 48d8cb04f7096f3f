using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Checkpoints;

/// <summary>What the bytes of stored tensors say: as float32, and whether they are numbers at all.</summary>
internal static class StoredValues
{
    /// <summary>The format of frozen weights that keeps the bytes as they are; null where there is none.</summary>
    public static StoredNumbers? Numbers(StoredType type) => type switch
    {
        StoredType.F32 => StoredNumbers.Float32,
        StoredType.F16 => StoredNumbers.Float16,
        StoredType.BF16 => StoredNumbers.BFloat16,
        StoredType.Q4_0 => StoredNumbers.Q4_0,
        StoredType.Q4_1 => StoredNumbers.Q4_1,
        StoredType.Q5_0 => StoredNumbers.Q5_0,
        StoredType.Q5_1 => StoredNumbers.Q5_1,
        StoredType.Q8_0 => StoredNumbers.Q8_0,
        StoredType.Q4_K => StoredNumbers.Q4_K,
        StoredType.Q6_K => StoredNumbers.Q6_K,
        _ => null,
    };

    /// <summary>Whether the format holds values that can be weights.</summary>
    public static bool Converts(StoredType type) => type == StoredType.F64 || Numbers(type) is not null;

    /// <summary>Converts whole blocks; lengths and format were checked.</summary>
    public static void ToFloat32(StoredType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case StoredType.F32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case StoredType.F16:
                FloatConversion.FromFloat16(MemoryMarshal.Cast<byte, Half>(source), destination);
                break;
            case StoredType.BF16:
                FloatConversion.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case StoredType.F64:
                ReadOnlySpan<double> doubles = MemoryMarshal.Cast<byte, double>(source);
                for (int i = 0; i < doubles.Length; i++)
                {
                    destination[i] = (float)doubles[i];
                }

                break;
            default:
                StoredBlocks.Dequantize(Numbers(type)!.Value, source, destination);
                break;
        }
    }

    /// <summary>Whether all numbers are finite; of a block it is enough to look at its scales.</summary>
    public static bool AllFinite(StoredType type, ReadOnlySpan<byte> stored)
    {
        switch (type)
        {
            case StoredType.F32:
                return MemoryMarshal.Cast<byte, float>(stored).IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) < 0;
            case StoredType.F64:
                return MemoryMarshal.Cast<byte, double>(stored).IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) < 0;
            case StoredType.F16:
                return NoneOf(MemoryMarshal.Cast<byte, ushort>(stored), 0x7C00);
            case StoredType.BF16:
                return NoneOf(MemoryMarshal.Cast<byte, ushort>(stored), 0x7F80);
            default:
                // d at the start, or at the end of Q6_K; m behind it in the formats that have one
                int bytes = type.BlockBytes();
                int scale = type == StoredType.Q6_K ? bytes - 2 : 0;
                bool minimum = type is StoredType.Q4_1 or StoredType.Q5_1 or StoredType.Q4_K;
                for (int block = 0; block < stored.Length; block += bytes)
                {
                    if (IsSpecial(stored, block + scale) || (minimum && IsSpecial(stored, block + 2)))
                    {
                        return false;
                    }
                }

                return true;
        }
    }

    private static bool IsSpecial(ReadOnlySpan<byte> stored, int at) => (stored[at + 1] & 0x7C) == 0x7C;

    // The exponent of infinities and NaNs is all ones, of either sign.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool NoneOf(ReadOnlySpan<ushort> bits, ushort infinity)
    {
        int i = 0;
        Vector256<ushort> exponent = Vector256.Create(infinity), found = Vector256<ushort>.Zero;
        for (; i <= bits.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            found |= Vector256.Equals(Vector256.Create(bits[i..]) & exponent, exponent);
        }

        bool any = found != Vector256<ushort>.Zero;
        for (; i < bits.Length; i++)
        {
            any |= (bits[i] & infinity) == infinity;
        }

        return !any;
    }
}
