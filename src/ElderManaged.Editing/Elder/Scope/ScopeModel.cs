namespace ElderManaged.Editing.Elder;

/// <summary>
/// What makes a prompt a rephrasing of a recorded one: five numbers, a logistic regression over them and a threshold;
/// one pair for records whose subject is known, one for those without.
/// </summary>
/// <remarks>
/// The distance to the second best record is left out on purpose: it shrinks as records are added, so what was learned
/// on a few hundred calibration facts would not hold for thousands.
/// </remarks>
/// <param name="WithSubject">Coefficients for records that name their subject.</param>
/// <param name="ThresholdWithSubject">In scope from this logit on.</param>
/// <param name="WithoutSubject">Coefficients for records that do not; their capitalised words stand in for it.</param>
/// <param name="ThresholdWithoutSubject">In scope from this logit on.</param>
public sealed record ScopeModel(
    LogisticRegression WithSubject, double ThresholdWithSubject, LogisticRegression WithoutSubject, double ThresholdWithoutSubject)
{
    /// <summary>The names of the numbers, in order.</summary>
    public static IReadOnlyList<string> FeatureNames { get; } = ["cosine", "subject found", "recorded words found", "asked words explained", "ending cosine"];

    internal static ScopeModel Undecided { get; } = new(new(0, new double[5]), double.PositiveInfinity, new(0, new double[5]), double.PositiveInfinity);

    internal static double[] Features(double cosine, WordBag subject, WordBag recorded, WordBag asked, double ending) =>
        [cosine, subject.FoundIn(asked), recorded.FoundIn(asked), asked.FoundIn(recorded), ending];

    /// <summary>How far the logit is above the threshold, and the logit itself.</summary>
    internal (double Margin, double Logit) Judge(ReadOnlySpan<double> features, bool hasSubject)
    {
        double logit = (hasSubject ? WithSubject : WithoutSubject).Logit(features);
        return (logit - (hasSubject ? ThresholdWithSubject : ThresholdWithoutSubject), logit);
    }
}

/// <summary>How the scope decision did in calibration's own rounds, on facts and texts that are never edited.</summary>
/// <param name="ScopeRecall">The share of rephrasings of recorded facts taken to be in scope, with the right fact.</param>
/// <param name="FalseScopeFacts">The share of prompts about subjects of which nothing was recorded, taken to be in scope.</param>
/// <param name="FalseScopeSameSubject">The share of prompts that ask something else about the subject of a record, taken to be in scope.</param>
/// <param name="FalseScopeTexts">The same of unrelated texts.</param>
/// <param name="NearestIsRight">The share of rephrasings whose nearest record, before the score, is of the right fact.</param>
public readonly record struct ScopeQuality(double ScopeRecall, double FalseScopeFacts, double FalseScopeSameSubject, double FalseScopeTexts, double NearestIsRight);
