namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>The type of a metadata value, with the numbers of the GGUF specification.</summary>
public enum GgufType
{
    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8 = 0,

    /// <summary>Signed 8-bit integer.</summary>
    Int8 = 1,

    /// <summary>Unsigned 16-bit integer.</summary>
    UInt16 = 2,

    /// <summary>Signed 16-bit integer.</summary>
    Int16 = 3,

    /// <summary>Unsigned 32-bit integer.</summary>
    UInt32 = 4,

    /// <summary>Signed 32-bit integer.</summary>
    Int32 = 5,

    /// <summary>IEEE 754 single precision.</summary>
    Float32 = 6,

    /// <summary>One byte, 0 or 1.</summary>
    Bool = 7,

    /// <summary>UTF-8 text with a 64-bit length before it.</summary>
    Text = 8,

    /// <summary>Values of one type, with the type and a 64-bit count before them.</summary>
    Array = 9,

    /// <summary>Unsigned 64-bit integer.</summary>
    UInt64 = 10,

    /// <summary>Signed 64-bit integer.</summary>
    Int64 = 11,

    /// <summary>IEEE 754 double precision.</summary>
    Float64 = 12,
}

/// <summary>Sizes and kinds of <see cref="GgufType"/>.</summary>
internal static class GgufTypes
{
    /// <summary>Bytes of one value; 0 for texts and arrays, which have no fixed size, and for unknown types.</summary>
    public static int ByteSize(this GgufType type) => type switch
    {
        GgufType.UInt8 or GgufType.Int8 or GgufType.Bool => 1,
        GgufType.UInt16 or GgufType.Int16 => 2,
        GgufType.UInt32 or GgufType.Int32 or GgufType.Float32 => 4,
        GgufType.UInt64 or GgufType.Int64 or GgufType.Float64 => 8,
        _ => 0,
    };

    public static bool IsInteger(this GgufType type) =>
        type is not (GgufType.Float32 or GgufType.Float64 or GgufType.Bool) && type.ByteSize() > 0;

    public static bool IsNumber(this GgufType type) => type is not GgufType.Bool && type.ByteSize() > 0;
}
