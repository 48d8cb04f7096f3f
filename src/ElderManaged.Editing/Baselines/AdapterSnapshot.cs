using ElderManaged.Models;
using ElderManaged.Models.Generation;

namespace ElderManaged.Editing.Baselines;

/// <summary>The snapshot of a method without a notion of scope: its term acts on every token of every prompt.</summary>
internal sealed class AdapterSnapshot(TransformerModel model, IFeedForwardAdapter? adapter) : IEditSnapshot
{
    public EditedPrompts Prepare(IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ScopeDecision[] scope = new ScopeDecision[prompts.Count];
        Array.Fill(scope, new ScopeDecision(InScope: true));
        return new EditedPrompts(
            model, prompts, PromptBatch.Prefill(model, prompts, _ => adapter), scope, (_, _) => adapter);
    }
}
