using System.Text;
using System.Text.RegularExpressions;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// GPT-2's first step: cuts text into words (with their leading space), numbers, runs of signs and runs of white
/// space. Merges never cross these cuts.
/// </summary>
internal static partial class PreTokenizer
{
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();

    /// <summary>Enumerates the pieces of <paramref name="text"/>; together they are the whole text.</summary>
    public static Regex.ValueMatchEnumerator Split(string text) => Pattern().EnumerateMatches(Shadow(text));

    // .NET's expressions see UTF-16 units, in which a letter beyond U+FFFF is two units of no class. Such pairs are
    // replaced, for matching only, by two stand-ins of the right class; positions stay the same.
    private static string Shadow(string text)
    {
        int first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
        {
            return text;
        }

        char[] shadow = text.ToCharArray();
        for (int i = first; i < shadow.Length; i++)
        {
            if (!char.IsSurrogate(shadow[i]))
            {
                continue;
            }

            bool pair = Rune.TryGetRuneAt(text, i, out Rune rune);
            // 'x' begins no contraction such as 's or 're.
            char standIn = pair && Rune.IsLetter(rune) ? 'x' : pair && Rune.IsNumber(rune) ? '0' : '\u2022';
            shadow[i] = standIn;
            if (pair)
            {
                shadow[++i] = standIn;
            }
        }

        return new string(shadow);
    }
}
