namespace ElderManaged.Models.Checkpoints;

/// <summary>The number format of a tensor in a file. The names are those of the safetensors format without underscores.</summary>
/// <remarks>All can be listed and read as raw bytes; <see cref="SafetensorsFile.ReadFloat32(string, Span{float})"/> and
/// <see cref="SafetensorsFile.ReadInt64"/> convert the ones that models use.</remarks>
public enum StoredType
{
    /// <summary>Boolean, one byte.</summary>
    Bool,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>8-bit float, 5 exponent and 2 mantissa bits.</summary>
    F8E5M2,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits.</summary>
    F8E4M3,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>IEEE 754 half precision.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a float32.</summary>
    BF16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>IEEE 754 single precision.</summary>
    F32,

    /// <summary>IEEE 754 double precision.</summary>
    F64,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
}

/// <summary>Names and sizes of <see cref="StoredType"/>.</summary>
public static class StoredTypes
{
    /// <summary>Bytes of one element.</summary>
    /// <param name="type">The number format.</param>
    public static int ByteSize(this StoredType type) => type switch
    {
        StoredType.Bool or StoredType.U8 or StoredType.I8 or StoredType.F8E5M2 or StoredType.F8E4M3 => 1,
        StoredType.I16 or StoredType.U16 or StoredType.F16 or StoredType.BF16 => 2,
        StoredType.I32 or StoredType.U32 or StoredType.F32 => 4,
        StoredType.F64 or StoredType.I64 or StoredType.U64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a stored number format."),
    };

    /// <summary>The name in a safetensors header, for example <c>BF16</c>.</summary>
    internal static string HeaderName(this StoredType type) => type switch
    {
        StoredType.Bool => "BOOL",
        StoredType.F8E5M2 => "F8_E5M2",
        StoredType.F8E4M3 => "F8_E4M3",
        _ => type.ToString(),
    };

    /// <summary>The reverse of <see cref="HeaderName"/>; false for names this program does not know.</summary>
    internal static bool TryParse(string name, out StoredType type)
    {
        // Not Enum.TryParse: it would also take numbers ("3") and lists ("F32,F16").
        foreach (StoredType candidate in Enum.GetValues<StoredType>())
        {
            if (candidate.HeaderName() == name)
            {
                type = candidate;
                return true;
            }
        }

        type = default;
        return false;
    }
}
