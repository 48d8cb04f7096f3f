using System.Text;

namespace ElderManaged.Evaluation.Metrics;

/// <summary>Counts from which precision, recall and F1 over entities follow; add the counts of all texts for a corpus score.</summary>
/// <param name="Correct">Entities both predicted and expected.</param>
/// <param name="Predicted">Entities predicted.</param>
/// <param name="Expected">Entities expected.</param>
public readonly record struct EntityCounts(int Correct, int Predicted, int Expected)
{
    /// <summary>The part of the predicted entities that is right; 1 when none is predicted and none expected.</summary>
    public double Precision => Predicted == 0 ? (Expected == 0 ? 1 : 0) : (double)Correct / Predicted;

    /// <summary>The part of the expected entities that is found; 1 when none is predicted and none expected.</summary>
    public double Recall => Expected == 0 ? (Predicted == 0 ? 1 : 0) : (double)Correct / Expected;

    /// <summary>The harmonic mean of precision and recall: 2 · correct / (predicted + expected), or 1 when there is nothing to find and nothing found.</summary>
    public double F1 => Predicted + Expected == 0 ? 1 : 2.0 * Correct / (Predicted + Expected);

    /// <summary>The counts of two sets of texts together.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static EntityCounts operator +(EntityCounts left, EntityCounts right) => Add(left, right);

    /// <summary>The counts of two sets of texts together.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    public static EntityCounts Add(EntityCounts left, EntityCounts right) =>
        new(left.Correct + right.Correct, left.Predicted + right.Predicted, left.Expected + right.Expected);
}

/// <summary>
/// Entity-level F1 as in CoNLL-2003 (Tjong Kim Sang and De Meulder, 2003: an entity counts only when it is exactly right),
/// for answers written as lists with commas.
/// </summary>
/// <remarks>
/// Differences from the original: a generated list has no positions, so an entity is its text under
/// <see cref="TextNormalizer"/> and counts once however often it is named (pieces without letters or digits are none); and a text without entities that is
/// answered with an empty list scores 1 by itself.
/// </remarks>
public static class EntityF1
{
    /// <summary>Compares two lists.</summary>
    /// <param name="prediction">What the model wrote: entities separated by commas.</param>
    /// <param name="expected">What is right, in the same form.</param>
    public static EntityCounts Count(string prediction, string expected)
    {
        HashSet<string> found = Entities(prediction);
        HashSet<string> right = Entities(expected);
        return new EntityCounts(found.Count(right.Contains), found.Count, right.Count);
    }

    private static HashSet<string> Entities(string list)
    {
        ArgumentNullException.ThrowIfNull(list);
        return new HashSet<string>(list.Split(',').Select(TextNormalizer.Key).Where(entity => entity.EnumerateRunes().Any(Rune.IsLetterOrDigit)), StringComparer.Ordinal);
    }
}
