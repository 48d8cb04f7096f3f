using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// SentencePiece's compiled normalization rules (<c>nmt_nfkc</c> and others): the longest sequence of characters that has
/// a rule is replaced. The rules are a double-array trie over UTF-8 bytes, followed by the replacements.
/// </summary>
/// <remarks>
/// A unit of the trie (Darts-clone, https://github.com/s-yata/darts-clone): bits 0–7 and 31 the label, bit 8 whether a key
/// ends here, bits 10–30 (times 256 if bit 9 is set) the offset to its children; in a leaf bits 0–30 are the value, here
/// where the replacement begins.
/// </remarks>
internal sealed class CharacterMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    private CharacterMap(uint[] units, byte[] replacements) => (_units, _replacements) = (units, replacements);

    /// <summary>Reads the rules; null if there are none.</summary>
    /// <param name="blob">The content of <c>precompiled_charsmap</c>.</param>
    /// <param name="source">The file, for messages.</param>
    public static CharacterMap? Read(ReadOnlySpan<byte> blob, string source)
    {
        if (blob.IsEmpty)
        {
            return null;
        }

        uint size = blob.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(blob) : 0;
        if (size == 0 || size % 4 != 0 || size > blob.Length - 4)
        {
            throw new InvalidDataException($"{source}: the normalization rules (precompiled_charsmap, {blob.Length} bytes) say that their trie has {size} bytes, which does not fit.");
        }

        uint[] units = new uint[size / 4];
        for (int i = 0; i < units.Length; i++)
        {
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + 4 * i)..]);
        }

        return new CharacterMap(units, blob[(4 + (int)size)..].ToArray());
    }

    /// <summary>Replaces characters; user-defined tokens stay as they are.</summary>
    public string Apply(ReadOnlySpan<char> text, AddedTokens userDefined)
    {
        ArrayBufferWriter<byte> result = new(text.Length + 16);
        for (int at; (at = userDefined.Find(text, special: true, out AddedToken token)) >= 0; text = text[(at + token.Text.Length)..])
        {
            Apply(text[..at], result);
            Encoding.UTF8.GetBytes(token.Text, result);
        }

        Apply(text, result);
        return Encoding.UTF8.GetString(result.WrittenSpan);
    }

    private void Apply(ReadOnlySpan<char> text, ArrayBufferWriter<byte> result)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        ReadOnlySpan<byte> rest = bytes;
        while (rest.Length > 0)
        {
            if (Longest(rest, out int length, out ReadOnlySpan<byte> replacement))
            {
                result.Write(replacement);
            }
            else
            {
                Rune.DecodeFromUtf8(rest, out _, out length);
                result.Write(rest[..length]);
            }

            rest = rest[length..];
        }
    }

    private bool Longest(ReadOnlySpan<byte> text, out int length, out ReadOnlySpan<byte> replacement)
    {
        length = 0;
        replacement = default;
        long at = Offset(_units[0]);
        for (int i = 0; i < text.Length; i++)
        {
            at ^= text[i];
            if (at >= _units.Length || (_units[at] & 0x800000FF) != text[i])
            {
                break;
            }

            uint unit = _units[at];
            at ^= Offset(unit);
            if ((unit & 0x100) != 0 && at < _units.Length)
            {
                uint start = _units[at] & 0x7FFFFFFF;
                if (start < _replacements.Length)
                {
                    ReadOnlySpan<byte> tail = _replacements.AsSpan((int)start);
                    int end = tail.IndexOf((byte)0);
                    length = i + 1;
                    replacement = end < 0 ? tail : tail[..end];
                }
            }
        }

        return length > 0;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);
}
