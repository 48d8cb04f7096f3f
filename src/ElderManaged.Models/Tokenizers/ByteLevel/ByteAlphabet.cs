using System.Diagnostics.CodeAnalysis;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// GPT-2's one-to-one map between the 256 bytes and 256 printable characters. Vocabulary files are text, so every
/// byte needs a visible character: printable Latin-1 bytes keep their own, the other 68 (space and control bytes
/// among them) take the characters from U+0100 on. A space is therefore spelled "Ġ".
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] ToCharTable = new char[256];
    private static readonly byte[] OrderTable = new byte[256];
    private static readonly Dictionary<char, byte> ToByteTable = new(256);

    // One constructor, because the three tables are filled in one pass that depends on the order.
    [SuppressMessage("Performance", "CA1810", Justification = "The tables fill each other.")]
    static ByteAlphabet()
    {
        int place = 0;
        for (int b = 0; b < 256; b++)
        {
            if (IsPrintable(b))
            {
                Add((byte)b, (char)b, place++);
            }
        }

        for (int b = 0, shifted = 256; b < 256; b++)
        {
            if (!IsPrintable(b))
            {
                Add((byte)b, (char)shifted++, place++);
            }
        }
    }

    /// <summary>The bytes in the order of GPT-2's vocabulary: printable ones first.</summary>
    public static ReadOnlySpan<byte> Order => OrderTable;

    public static char ToChar(byte value) => ToCharTable[value];

    /// <summary>Spells bytes with the printable characters of the vocabulary files.</summary>
    public static string Spell(ReadOnlySpan<byte> bytes)
    {
        Span<char> chars = bytes.Length <= 256 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            chars[i] = ToCharTable[bytes[i]];
        }

        return new string(chars);
    }

    /// <summary>Reads a spelling back, or returns false if a character stands for no byte.</summary>
    public static bool TryRead(string spelling, [NotNullWhen(true)] out byte[]? bytes)
    {
        byte[] result = new byte[spelling.Length];
        for (int i = 0; i < result.Length; i++)
        {
            if (!ToByteTable.TryGetValue(spelling[i], out result[i]))
            {
                bytes = null;
                return false;
            }
        }

        bytes = result;
        return true;
    }

    private static bool IsPrintable(int b) => b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);

    private static void Add(byte value, char character, int place)
    {
        ToCharTable[value] = character;
        OrderTable[place] = value;
        ToByteTable.Add(character, value);
    }
}
