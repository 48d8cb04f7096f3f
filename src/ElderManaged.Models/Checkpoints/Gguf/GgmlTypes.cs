namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>The tensor types of GGUF files: the numbers that stand for them, and which of them are supported.</summary>
internal static class GgmlTypes
{
    // github.com/ggml-org/ggml, include/ggml.h, enum ggml_type
    private static readonly (uint Code, StoredType Type)[] Known =
    [
        (0, StoredType.F32), (1, StoredType.F16), (30, StoredType.BF16),
        (2, StoredType.Q4_0), (3, StoredType.Q4_1), (6, StoredType.Q5_0), (7, StoredType.Q5_1), (8, StoredType.Q8_0),
        (12, StoredType.Q4_K), (14, StoredType.Q6_K),
    ];

    private static readonly Dictionary<uint, string> Refused = new()
    {
        [9] = "Q8_1", [10] = "Q2_K", [11] = "Q3_K", [13] = "Q5_K", [15] = "Q8_K", [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS",
        [19] = "IQ1_S", [20] = "IQ4_NL", [21] = "IQ3_S", [22] = "IQ2_S", [23] = "IQ4_XS", [24] = "I8", [25] = "I16", [26] = "I32",
        [27] = "I64", [28] = "F64", [29] = "IQ1_M", [34] = "TQ1_0", [35] = "TQ2_0", [39] = "MXFP4",
    };

    /// <summary>All supported types, for messages and tables.</summary>
    public static string Supported { get; } = string.Join(", ", Known.Select(known => known.Type.DisplayName()));

    public static IEnumerable<StoredType> All => Known.Select(known => known.Type);

    public static uint CodeOf(StoredType type) => Known.First(known => known.Type == type).Code;

    public static bool TryFind(uint code, out StoredType type)
    {
        foreach ((uint known, StoredType found) in Known)
        {
            if (known == code)
            {
                type = found;
                return true;
            }
        }

        type = default;
        return false;
    }

    public static string Describe(uint code) => Refused.TryGetValue(code, out string? name) ? name : $"the unknown type {code}";
}
