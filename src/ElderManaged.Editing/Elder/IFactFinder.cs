using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>What a finder says about one prompt.</summary>
/// <param name="InScope">Whether the prompt asks for the fact.</param>
/// <param name="FactId">The nearest recorded fact, if there is any.</param>
/// <param name="Probability">How sure that is, 0 to 1.</param>
public readonly record struct RecognisedFact(bool InScope, string? FactId, double Probability);

/// <summary>
/// Recognises which recorded fact a prompt asks for. Immutable: recording gives a new finder, so that readers keep theirs.
/// </summary>
public interface IFactFinder
{
    /// <summary>
    /// The blocks whose entering residual stream <see cref="Find"/> wants to see; the count of blocks stands for the
    /// stream after the last. Empty if it looks at token ids alone.
    /// </summary>
    IReadOnlyList<int> ObservedLayers => [];

    /// <summary>One answer for each prompt.</summary>
    /// <param name="prompts">Token ids.</param>
    /// <param name="observed">
    /// The base's residual streams entering <see cref="ObservedLayers"/> [rows, width], in that order, from the pass that
    /// reads the prompts anyway; null where that pass has not come so far.
    /// </param>
    /// <param name="layout">Which rows of them belong to which prompt.</param>
    IReadOnlyList<RecognisedFact> Find(IReadOnlyList<int[]> prompts, IReadOnlyList<Tensor>? observed, SequenceLayout layout);

    /// <summary>A finder that also knows these edits.</summary>
    IFactFinder With(IReadOnlyList<EncodedEdit> edits);

    /// <summary>A finder that no longer knows a fact.</summary>
    IFactFinder Without(string factId);

    /// <summary>Writes what <see cref="Load"/> could not make again from the edits; nothing by default.</summary>
    void Save(string folder)
    {
    }

    /// <summary>On a finder without facts: the finder that was saved.</summary>
    /// <param name="folder">Where it was saved.</param>
    /// <param name="edits">The edits it knew, in their order.</param>
    IFactFinder Load(string folder, IReadOnlyList<EncodedEdit> edits) => With(edits);
}

/// <summary>
/// The narrowest finder: a prompt is in scope if it is, token for token, an edited one. Needs no calibration; what it
/// loses is every rephrasing.
/// </summary>
public sealed class ExactFactFinder : IFactFinder
{
    private readonly Dictionary<int[], string> facts;

    /// <summary>A finder without facts.</summary>
    public ExactFactFinder() => facts = new(PromptComparer.Instance);

    private ExactFactFinder(Dictionary<int[], string> facts) => this.facts = facts;

    /// <inheritdoc/>
    public IReadOnlyList<RecognisedFact> Find(IReadOnlyList<int[]> prompts, IReadOnlyList<Tensor>? observed, SequenceLayout layout) =>
        [.. prompts.Select(p => facts.TryGetValue(p, out string? fact) ? new RecognisedFact(true, fact, 1) : new RecognisedFact(false, null, 0))];

    /// <inheritdoc/>
    public IFactFinder With(IReadOnlyList<EncodedEdit> edits)
    {
        ArgumentNullException.ThrowIfNull(edits);
        Dictionary<int[], string> more = new(facts, PromptComparer.Instance);
        foreach (EncodedEdit edit in edits)
        {
            more[edit.Prompt] = edit.FactId;
        }

        return new ExactFactFinder(more);
    }

    /// <inheritdoc/>
    public IFactFinder Without(string factId) =>
        new ExactFactFinder(new Dictionary<int[], string>(facts.Where(f => f.Value != factId), PromptComparer.Instance));

    private sealed class PromptComparer : IEqualityComparer<int[]>
    {
        public static readonly PromptComparer Instance = new();

        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] ids)
        {
            HashCode hash = default;
            foreach (int id in ids)
            {
                hash.Add(id);
            }

            return hash.ToHashCode();
        }
    }
}
