using System.Globalization;
using System.Text;

namespace ElderManaged.Evaluation.Metrics;

/// <summary>The normalisation under which two answers count as the same text.</summary>
/// <remarks>
/// After the SQuAD evaluation script (Rajpurkar et al., EMNLP 2016, <c>normalize_answer</c>): lower case, punctuation
/// removed, the words <c>a</c>, <c>an</c>, <c>the</c> removed, white space collapsed. The script removes ASCII punctuation
/// and symbols only; here the punctuation of all scripts goes too (typographic quotes and dashes, “。”), while letters,
/// digits, combining marks and non-ASCII symbols of any script stay. As in the script, a letter with its mark as one
/// character and as two are different texts (this program runs in invariant globalization, which cannot compose them).
/// </remarks>
public static class TextNormalizer
{
    /// <summary>Normalises a text. Normalising twice changes nothing more.</summary>
    /// <param name="text">Any text.</param>
    public static string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var kept = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!IsPunctuation(rune))
            {
                kept.Append(Rune.ToLowerInvariant(rune));
            }
        }

        return string.Join(' ', Words(kept.ToString()).Where(word => word is not ("a" or "an" or "the")));
    }

    /// <summary>
    /// What answers are compared by: the normalised text, or, where normalising leaves nothing (the answers "A", "The",
    /// "!"), the lower-case text itself. Without this exception every empty prediction would equal such an answer.
    /// </summary>
    internal static string Key(string text)
    {
        string normalized = Normalize(text);
        return normalized.Length > 0 ? normalized : string.Join(' ', Words(text.ToLowerInvariant()));
    }

    private static string[] Words(string text) =>
        text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static bool IsPunctuation(Rune rune) => rune.IsAscii
        ? char.IsPunctuation((char)rune.Value) || char.IsSymbol((char)rune.Value)
        : Rune.GetUnicodeCategory(rune) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation
            or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation
            or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;
}
