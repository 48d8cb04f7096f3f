namespace ElderManaged.Models.Checkpoints;

/// <summary>The number format of a tensor in a file. The names are those of the safetensors format (without underscores) and of GGUF.</summary>
/// <remarks>
/// A format whose name starts with Q keeps a row in blocks of 32 or 256 elements, quantized to few bits with a scale (and
/// sometimes an offset) for each block; the others keep single numbers.
/// All can be listed and read as raw bytes; <see cref="SafetensorsFile.ReadFloat32(string, Span{float})"/> and
/// <see cref="SafetensorsFile.ReadInt64"/> convert the ones that models use.
/// </remarks>
#pragma warning disable CA1707 // Q4_K and its like are names of the field, which everybody writes with the underscore
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

    /// <summary>GGUF: blocks of 32 in 4 bits with a float16 scale.</summary>
    Q4_0,

    /// <summary>GGUF: blocks of 32 in 4 bits with a float16 scale and minimum.</summary>
    Q4_1,

    /// <summary>GGUF: blocks of 32 in 5 bits with a float16 scale.</summary>
    Q5_0,

    /// <summary>GGUF: blocks of 32 in 5 bits with a float16 scale and minimum.</summary>
    Q5_1,

    /// <summary>GGUF: blocks of 32 in 8 bits with a float16 scale.</summary>
    Q8_0,

    /// <summary>GGUF: blocks of 256 in 4 bits; 8 parts with a 6-bit scale and minimum each.</summary>
    Q4_K,

    /// <summary>GGUF: blocks of 256 in 6 bits; 16 parts with an 8-bit scale each.</summary>
    Q6_K,
}
#pragma warning restore CA1707

/// <summary>Names and sizes of <see cref="StoredType"/>.</summary>
public static class StoredTypes
{
    /// <summary>Elements of one block: 1 for formats that keep single numbers, 32 or 256 for quantized ones.</summary>
    /// <param name="type">The number format.</param>
    public static int BlockLength(this StoredType type) => type switch
    {
        StoredType.Q4_0 or StoredType.Q4_1 or StoredType.Q5_0 or StoredType.Q5_1 or StoredType.Q8_0 => 32,
        StoredType.Q4_K or StoredType.Q6_K => 256,
        _ => 1,
    };

    /// <summary>Bytes of one block.</summary>
    /// <param name="type">The number format.</param>
    public static int BlockBytes(this StoredType type) => type switch
    {
        StoredType.Q4_0 => 2 + 16,
        StoredType.Q4_1 => 2 + 2 + 16,
        StoredType.Q5_0 => 2 + 4 + 16,
        StoredType.Q5_1 => 2 + 2 + 4 + 16,
        StoredType.Q8_0 => 2 + 32,
        StoredType.Q4_K => 2 + 2 + 12 + 128,
        StoredType.Q6_K => 128 + 64 + 16 + 2,
        _ => type.ByteSize(),
    };

    /// <summary>Bytes of so many elements in a row.</summary>
    /// <param name="type">The number format.</param>
    /// <param name="elements">A multiple of <see cref="BlockLength"/>.</param>
    public static long BytesOf(this StoredType type, long elements) => checked(elements / type.BlockLength() * type.BlockBytes());

    /// <summary>The name that people write, for example <c>BF16</c> or <c>Q4_K</c>.</summary>
    /// <param name="type">The number format.</param>
    public static string DisplayName(this StoredType type) => type.HeaderName();

    /// <summary>Bytes of one element of a format that keeps single numbers.</summary>
    /// <param name="type">The number format.</param>
    public static int ByteSize(this StoredType type) => type switch
    {
        StoredType.Bool or StoredType.U8 or StoredType.I8 or StoredType.F8E5M2 or StoredType.F8E4M3 => 1,
        StoredType.I16 or StoredType.U16 or StoredType.F16 or StoredType.BF16 => 2,
        StoredType.I32 or StoredType.U32 or StoredType.F32 => 4,
        StoredType.F64 or StoredType.I64 or StoredType.U64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a format that keeps single numbers."),
    };

    /// <summary>The name in a safetensors header, for example <c>BF16</c>.</summary>
    internal static string HeaderName(this StoredType type) => type switch
    {
        StoredType.Bool => "BOOL",
        StoredType.F8E5M2 => "F8_E5M2",
        StoredType.F8E4M3 => "F8_E4M3",
        _ => type.ToString(),
    };

    private static readonly StoredType[] All = Enum.GetValues<StoredType>();

    /// <summary>The reverse of <see cref="HeaderName"/>; false for names this program does not know.</summary>
    internal static bool TryParse(string name, out StoredType type)
    {
        // Not Enum.TryParse: it would also take numbers ("3") and lists ("F32,F16").
        foreach (StoredType candidate in All)
        {
            if (candidate.BlockLength() == 1 && candidate.HeaderName() == name)
            {
                type = candidate;
                return true;
            }
        }

        type = default;
        return false;
    }
}
