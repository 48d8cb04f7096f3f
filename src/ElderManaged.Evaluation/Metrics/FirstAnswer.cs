using System.Text;

namespace ElderManaged.Evaluation.Metrics;

/// <summary>Reads a choice from the beginning of a generated text: true/false, yes/no, positive/negative, or a letter.</summary>
/// <remarks>The tasks ask for one token (Gu et al., EMNLP 2024), so only the first word counts and what follows is ignored.</remarks>
public static class FirstAnswer
{
    /// <summary>The first run of letters and digits in lower case; empty when there is none.</summary>
    /// <param name="text">Any text.</param>
    public static string Word(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var word = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (Rune.IsLetterOrDigit(rune))
            {
                word.Append(Rune.ToLowerInvariant(rune));
            }
            else if (word.Length > 0)
            {
                break;
            }
        }

        return word.ToString();
    }

    /// <summary>Whether the text starts with the label, without regard to case and to signs before it.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="label">One word, for example <c>yes</c>.</param>
    public static bool WordMatches(string prediction, string label) => Word(label) is { Length: > 0 } word && Word(prediction) == word;

    /// <summary>The letter the text starts with, upper case, if it stands alone as in "B", "(b)", "B." and lies in the range; else null.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="last">The last letter of the range that starts with A.</param>
    public static char? Letter(string text, char last = 'D')
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(last, 'A');
        ArgumentOutOfRangeException.ThrowIfGreaterThan(last, 'Z');
        string word = Word(text);
        return word.Length == 1 && word[0] >= 'a' && word[0] <= char.ToLowerInvariant(last) ? char.ToUpperInvariant(word[0]) : null;
    }
}
