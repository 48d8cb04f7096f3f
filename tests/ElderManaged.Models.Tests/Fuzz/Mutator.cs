using System.Buffers.Binary;
using System.Text;

namespace ElderManaged.Models.Tests.Fuzz;

/// <summary>Damages valid files. Every case is a function of its number alone, so that a failure can be repeated by itself.</summary>
internal sealed class Mutator(IReadOnlyList<byte[]> corpus)
{
    private static readonly ulong[] Lengths =
    [
        0, 1, 2, 31, 33, 255, 256, 65_535, 1_000_000, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, 1UL << 40, (1UL << 62) + 1,
        long.MaxValue, 1UL << 63, ulong.MaxValue, ulong.MaxValue / 4, ulong.MaxValue - 31,
    ];

    private static readonly string[] Texts =
    [
        "99999999999999999999", "-1", "1e999", "0.5", "null", "{}", "[]", "\"\"", "\\ud800", "\u0000", "true", "2147483648", "\"F16\"", ",", "}", "\"a\":",
        new('[', 3000), string.Concat(Enumerable.Repeat("{\"a\":", 2000)),
    ];

    /// <summary>The bytes of a case: one to three damages of one of the files.</summary>
    public byte[] Case(int number)
    {
        var random = new Random(number);
        byte[] bytes = corpus[random.Next(corpus.Count)].ToArray();
        for (int n = random.Next(1, 4); n > 0 && bytes.Length > 0; n--)
        {
            bytes = Damage(bytes, random);
        }

        return bytes;
    }

    private byte[] Damage(byte[] bytes, Random random)
    {
        int at = Place(bytes, random);
        int end = Math.Min(bytes.Length, at + random.Next(1, 200));
        switch (random.Next(11))
        {
            case 0: // one flipped bit
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 1: // some random bytes
                random.NextBytes(bytes.AsSpan(at, Math.Min(bytes.Length - at, random.Next(1, 9))));
                return bytes;
            case 2: // cut short
                return bytes[..random.Next(bytes.Length)];
            case 3: // a piece is missing
                return [.. bytes[..at], .. bytes[end..]];
            case 4: // a piece comes twice
                return [.. bytes[..end], .. bytes[at..]];
            case 5: // the rest is that of another file
                byte[] other = corpus[random.Next(corpus.Count)];
                return [.. bytes[..at], .. other.AsSpan(Math.Min(at, other.Length))];
            case 6: // a 32-bit number lies
                return Overwrite(bytes, at, 4, random);
            case 7: // a 64-bit number lies
                return Overwrite(bytes, at, 8, random);
            case 8: // a digit is another: text stays text and lies about sizes
                for (int i = at; i < bytes.Length; i++)
                {
                    if (char.IsAsciiDigit((char)bytes[i]))
                    {
                        bytes[i] = (byte)('0' + random.Next(10));
                        break;
                    }
                }

                return bytes;
            case 9: // something that JSON or numbers trip over
                return [.. bytes[..at], .. Encoding.UTF8.GetBytes(Texts[random.Next(Texts.Length)]), .. bytes[at..]];
            default: // a number or name of the text gives way to it
                int last = at;
                while (last < bytes.Length && (char.IsAsciiLetterOrDigit((char)bytes[last]) || bytes[last] == '.'))
                {
                    last++;
                }

                return [.. bytes[..at], .. Encoding.UTF8.GetBytes(Texts[random.Next(Texts.Length)]), .. bytes[last..]];
        }
    }

    /// <summary>Anywhere, but half of the time near the start, where formats keep their counts.</summary>
    private static int Place(byte[] bytes, Random random) =>
        random.Next(2) == 0 ? random.Next(Math.Min(bytes.Length, 64)) : random.Next(bytes.Length);

    private static byte[] Overwrite(byte[] bytes, int at, int width, Random random)
    {
        at &= ~3;
        if (at + width <= bytes.Length)
        {
            ulong value = random.Next(4) == 0 ? (ulong)(bytes.Length + random.Next(-9, 9)) : Lengths[random.Next(Lengths.Length)];
            Span<byte> number = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(number, value);
            number[..width].CopyTo(bytes.AsSpan(at));
        }

        return bytes;
    }
}
