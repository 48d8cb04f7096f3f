namespace ElderManaged.Evaluation.Metrics;

/// <summary>Exact match after normalisation (SQuAD: Rajpurkar et al., EMNLP 2016).</summary>
public static class ExactMatch
{
    /// <summary>Whether prediction and answer are the same text under <see cref="TextNormalizer"/>.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="answer">What is right.</param>
    public static bool Matches(string prediction, string answer) => TextNormalizer.Key(prediction) == TextNormalizer.Key(answer);

    /// <summary>Whether the prediction matches one of several accepted answers, as open-domain question answering counts.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="answers">What is right; with no answers nothing matches.</param>
    public static bool MatchesAny(string prediction, IEnumerable<string> answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        string key = TextNormalizer.Key(prediction);
        return answers.Any(answer => TextNormalizer.Key(answer) == key);
    }
}
