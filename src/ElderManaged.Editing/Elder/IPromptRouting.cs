using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>What was decided for one prompt.</summary>
/// <param name="Scope">Whether the edits act, and why.</param>
/// <param name="Allocation">The LoRAs that act, or would; null if no fact is known.</param>
/// <param name="Weights">Their weights, k for each edited layer.</param>
public sealed record RoutedPrompt(ScopeDecision Scope, Allocation? Allocation, float[] Weights);

/// <summary>Prompts on their way through the base model, at the first edited block or, where edits act from the last token on, at the end.</summary>
/// <param name="Prompts">Token ids.</param>
/// <param name="Layout">Which rows belong to which prompt.</param>
/// <param name="Queries">
/// For each prompt the input of the edited kind of layer one block below the first edited one, at its last token
/// [prompts, query width]; null with recorded routing.
/// </param>
/// <param name="Observed">
/// The residual streams entering the blocks that the routing asked for [rows, width], in that order; null if it asked for
/// none, or for one that the pass has not come to.
/// </param>
public sealed record PromptPass(IReadOnlyList<int[]> Prompts, SequenceLayout Layout, Tensor? Queries, IReadOnlyList<Tensor>? Observed);

/// <summary>
/// Decides for prompts, once and before an edit acts, whether the edits act and which LoRAs do. Immutable.
/// </summary>
public interface IPromptRouting
{
    /// <summary>The blocks whose entering residual stream <see cref="Route"/> wants to see.</summary>
    IReadOnlyList<int> ObservedLayers => [];

    /// <summary>One decision for each prompt.</summary>
    RoutedPrompt[] Route(PromptPass pass);
}

/// <summary>
/// The paper's way (ELDER algorithm 1): the routers' top-k act with their scores as weights; a prompt is in scope if its
/// code differs from some recorded code in fewer than ε bits.
/// </summary>
public sealed class RouterRouting(Mixture mixture, CodeBook codes, int active, int epsilon) : IPromptRouting
{
    /// <inheritdoc/>
    public RoutedPrompt[] Route(PromptPass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        Tensor[] scores = Router.Scores(mixture, pass.Queries ?? throw new ArgumentException("RouterRouting: the pass has no queries."));
        Allocation[] chosen = Router.TopK(scores, active);
        Tensor[] weights = Router.Weights(scores, chosen);
        RoutedPrompt[] result = new RoutedPrompt[pass.Prompts.Count];
        for (int s = 0; s < result.Length; s++)
        {
            (int distance, int nearest) = codes.Nearest(chosen[s].Code);
            ScopeDecision scope = nearest < 0 ? new ScopeDecision(false) : new ScopeDecision(distance < epsilon, codes.FactOf(nearest), distance);
            result[s] = new RoutedPrompt(scope, chosen[s], [.. weights.SelectMany(w => w.ReadOnlyRow(s).ToArray())]);
        }

        return result;
    }
}

/// <summary>The allocation recorded for the fact that the finder recognises, with equal weights.</summary>
public sealed class RecordedRouting : IPromptRouting
{
    private readonly IFactFinder finder;
    private readonly IReadOnlyDictionary<string, Allocation> allocations;
    private readonly float[] weights;

    /// <inheritdoc/>
    public IReadOnlyList<int> ObservedLayers => finder.ObservedLayers;

    /// <summary>A routing over recorded facts.</summary>
    /// <param name="finder">Recognises facts.</param>
    /// <param name="allocations">The allocation of every fact that it may name.</param>
    /// <param name="weight">The weight of each LoRA.</param>
    public RecordedRouting(IFactFinder finder, IReadOnlyDictionary<string, Allocation> allocations, float weight)
    {
        ArgumentNullException.ThrowIfNull(allocations);
        (this.finder, this.allocations) = (finder, allocations);
        weights = new float[allocations.Values.FirstOrDefault()?.Loras.Length ?? 0];
        Array.Fill(weights, weight);
    }

    /// <inheritdoc/>
    public RoutedPrompt[] Route(PromptPass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return [.. finder.Find(pass.Prompts, pass.Observed, pass.Layout).Select(match =>
        {
            Allocation? allocation = match.FactId is { } fact ? allocations.GetValueOrDefault(fact) : null;
            return new RoutedPrompt(new ScopeDecision(match.InScope && allocation is not null, match.FactId, match.Probability), allocation, weights);
        })];
    }
}
