namespace ElderManaged.Editing;

/// <summary>
/// One correction: after the edit, the model answers <see cref="Target"/> to <see cref="Prompt"/>.
/// </summary>
/// <param name="Prompt">The text to complete, without a trailing space.</param>
/// <param name="Target">The answer, without a leading space; it is tokenized as <c>" " + Target</c>.</param>
/// <remarks>Immutable, hence safe to share between threads.</remarks>
public sealed record EditRequest(string Prompt, string Target)
{
    /// <summary>What the fact is about, as it occurs in <see cref="Prompt"/>; evidence for the scope decision when given.</summary>
    public string? Subject { get; init; }

    /// <summary>
    /// Names the fact: all phrasings of one fact carry the same id and share one LoRA allocation.
    /// When absent, prompt and target together are the fact.
    /// </summary>
    public string? FactId { get; init; }
}
