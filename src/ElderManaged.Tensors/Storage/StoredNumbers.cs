namespace ElderManaged.Tensors;

#pragma warning disable CA1707 // The underscores belong to the names of these formats.
/// <summary>
/// How the numbers of a frozen weight are kept in memory and in files. The Q formats are those of GGML: blocks of numbers that
/// lie side by side along a row share a scale d, some also a minimum m.
/// </summary>
public enum StoredNumbers
{
    /// <summary>IEEE 754 single precision, 4 bytes a number.</summary>
    Float32,

    /// <summary>IEEE 754 half precision, 2 bytes a number.</summary>
    Float16,

    /// <summary>bfloat16, the upper half of a float32, 2 bytes a number.</summary>
    BFloat16,

    /// <summary>Blocks of 32: float16 d, 32 signed bytes q; the value is d·q. 34 bytes a block.</summary>
    Q8_0,

    /// <summary>Blocks of 32: float16 d, 32 codes of 4 bits; the value is d·(q - 8). 18 bytes a block.</summary>
    Q4_0,

    /// <summary>Blocks of 32: float16 d and m, 32 codes of 4 bits; the value is d·q + m. 20 bytes a block.</summary>
    Q4_1,

    /// <summary>Blocks of 32: float16 d, 32 codes of 5 bits; the value is d·(q - 16). 22 bytes a block.</summary>
    Q5_0,

    /// <summary>Blocks of 32: float16 d and m, 32 codes of 5 bits; the value is d·q + m. 24 bytes a block.</summary>
    Q5_1,

    /// <summary>Blocks of 256 in groups of 32: float16 d and m, 6-bit factors of both for each group, codes of 4 bits; the value is (d·f)·q - m·g. 144 bytes a block.</summary>
    Q4_K,

    /// <summary>Blocks of 256 in groups of 16: float16 d, a signed 8-bit factor for each group, codes of 6 bits; the value is (d·f)·(q - 32). 210 bytes a block.</summary>
    Q6_K,
}
#pragma warning restore CA1707

/// <summary>Sizes of <see cref="StoredNumbers"/>.</summary>
public static class StoredNumbersSizes
{
    /// <summary>How many numbers one block holds; 1 for the plain formats.</summary>
    /// <param name="numbers">The format.</param>
    public static int BlockLength(this StoredNumbers numbers) => numbers switch
    {
        StoredNumbers.Float32 or StoredNumbers.Float16 or StoredNumbers.BFloat16 => 1,
        StoredNumbers.Q8_0 or StoredNumbers.Q4_0 or StoredNumbers.Q4_1 or StoredNumbers.Q5_0 or StoredNumbers.Q5_1 => 32,
        StoredNumbers.Q4_K or StoredNumbers.Q6_K => 256,
        _ => throw Unknown(numbers),
    };

    /// <summary>How many bytes one block takes.</summary>
    /// <param name="numbers">The format.</param>
    public static int BlockBytes(this StoredNumbers numbers) => numbers switch
    {
        StoredNumbers.Float32 => 4,
        StoredNumbers.Float16 or StoredNumbers.BFloat16 => 2,
        StoredNumbers.Q8_0 => 34,
        StoredNumbers.Q4_0 => 18,
        StoredNumbers.Q4_1 => 20,
        StoredNumbers.Q5_0 => 22,
        StoredNumbers.Q5_1 => 24,
        StoredNumbers.Q4_K => 144,
        StoredNumbers.Q6_K => 210,
        _ => throw Unknown(numbers),
    };

    /// <summary>The bytes that <paramref name="count"/> numbers take.</summary>
    /// <param name="numbers">The format.</param>
    /// <param name="count">How many numbers; a multiple of <see cref="BlockLength"/>.</param>
    /// <exception cref="ArgumentException">The numbers do not fill whole blocks.</exception>
    public static long ByteCount(this StoredNumbers numbers, long count)
    {
        int block = numbers.BlockLength();
        if (count < 0 || count % block != 0)
        {
            throw new ArgumentException($"{numbers} keeps numbers in blocks of {block}; {count} numbers do not fill whole blocks. Use Float16 or BFloat16 for such a row.");
        }

        return checked(count / block * numbers.BlockBytes());
    }

    internal static ArgumentOutOfRangeException Unknown(StoredNumbers numbers) =>
        new(nameof(numbers), numbers, "Not a format of stored numbers.");
}
