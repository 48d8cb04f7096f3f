using System.Globalization;
using System.Text;

namespace ElderManaged.Evaluation.Metrics;

/// <summary>Precision and recall of a prediction against a reference.</summary>
/// <param name="Precision">The part of the prediction that is in the reference, 0 to 1.</param>
/// <param name="Recall">The part of the reference that is in the prediction, 0 to 1.</param>
public readonly record struct RougeScore(double Precision, double Recall)
{
    /// <summary>The harmonic mean of precision and recall; 0 when both are 0.</summary>
    public double F => Precision + Recall == 0 ? 0 : 2 * Precision * Recall / (Precision + Recall);
}

/// <summary>ROUGE-1, ROUGE-2 and ROUGE-L (Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004).</summary>
/// <remarks>
/// Words are runs of letters, marks and digits of any script, in lower case, without stemming. ROUGE-N counts each n-gram as often
/// as it occurs in both texts (the smaller count); ROUGE-L takes the longest common subsequence of the whole texts.
/// A text without words, or too short for one n-gram, scores 0.
/// </remarks>
public static class Rouge
{
    /// <summary>Overlap of n-grams.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="reference">The summary by a person.</param>
    /// <param name="n">Words in an n-gram, at least 1.</param>
    public static RougeScore N(string prediction, string reference, int n)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        Dictionary<string, int> predicted = Grams(Words(prediction), n);
        Dictionary<string, int> expected = Grams(Words(reference), n);
        int common = predicted.Sum(gram => Math.Min(gram.Value, expected.GetValueOrDefault(gram.Key)));
        return Score(common, predicted.Values.Sum(), expected.Values.Sum());
    }

    /// <summary>Longest common subsequence of words.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="reference">The summary by a person.</param>
    public static RougeScore L(string prediction, string reference)
    {
        string[] predicted = Words(prediction);
        string[] expected = Words(reference);
        return Score(LongestCommonSubsequence(predicted, expected), predicted.Length, expected.Length);
    }

    /// <summary>The mean of the F scores of ROUGE-1, ROUGE-2 and ROUGE-L, the summarization metric of the eight general tasks.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="reference">The summary by a person.</param>
    public static double MeanF(string prediction, string reference) =>
        (N(prediction, reference, 1).F + N(prediction, reference, 2).F + L(prediction, reference).F) / 3;

    private static RougeScore Score(int common, int predicted, int expected) =>
        common == 0 ? default : new RougeScore((double)common / predicted, (double)common / expected);

    private static string[] Words(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var words = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool inWord = Rune.IsLetterOrDigit(rune) || IsMark(rune);
            words.Append(inWord ? Rune.ToLowerInvariant(rune).ToString() : " ");
        }

        return words.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    private static bool IsMark(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    private static Dictionary<string, int> Grams(string[] words, int n)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i + n <= words.Length; i++)
        {
            string gram = string.Join(' ', words, i, n); // words hold no spaces, so no two n-grams look alike
            counts[gram] = counts.GetValueOrDefault(gram) + 1;
        }

        return counts;
    }

    private static int LongestCommonSubsequence(string[] a, string[] b)
    {
        // row[j] = length for the words of a so far and the first j words of b.
        int[] row = new int[b.Length + 1];
        foreach (string word in a)
        {
            int diagonal = 0;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = word == b[j - 1] ? diagonal + 1 : Math.Max(above, row[j - 1]);
                diagonal = above;
            }
        }

        return row[^1];
    }
}
