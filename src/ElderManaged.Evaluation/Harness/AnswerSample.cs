namespace ElderManaged.Evaluation.Harness;

/// <summary>One question with what was wanted, what the base model writes and what the edited model writes.</summary>
/// <param name="Prompt">The question.</param>
/// <param name="Rephrased">Whether it is a held-out wording instead of the one that was edited.</param>
/// <param name="Wanted">The target of the edit.</param>
/// <param name="Base">The base model's text.</param>
/// <param name="Edited">The edited model's text.</param>
/// <param name="InScope">Whether the edits acted.</param>
public sealed record AnswerSample(string Prompt, bool Rephrased, string Wanted, string Base, string Edited, bool InScope)
{
    /// <summary>Picks answers evenly from both lists of questions, edited and held-out wordings in turn.</summary>
    /// <param name="before">What the base model answered.</param>
    /// <param name="after">What the edited model answered to the same questions.</param>
    /// <param name="count">How many, if there are so many questions.</param>
    public static IReadOnlyList<AnswerSample> Pick(MethodOutcome before, MethodOutcome after, int count)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        int heldOut = Math.Min(count / 2, after.HeldOut.Count);
        return [.. Spread(before.Edited, after.Edited, count - heldOut, rephrased: false), .. Spread(before.HeldOut, after.HeldOut, heldOut, rephrased: true)];
    }

    private static IEnumerable<AnswerSample> Spread(IReadOnlyList<AnswerOutcome> before, IReadOnlyList<AnswerOutcome> after, int count, bool rephrased)
    {
        count = Math.Min(count, after.Count);
        for (int i = 0; i < count; i++)
        {
            // The middle of each of count equal parts.
            int at = (int)((((2L * i) + 1) * after.Count) / (2 * count));
            AnswerOutcome answer = after[at];
            yield return new AnswerSample(answer.Request.Prompt, rephrased, answer.Request.Target, before[at].Text, answer.Text, answer.Scope.InScope);
        }
    }
}
