using ElderManaged.Editing;
using ElderManaged.Models;
using ElderManaged.Models.Generation;

namespace ElderManaged.Evaluation.Harness;

/// <summary>The base model in the place of an edited one: learns nothing, defers everything.</summary>
/// <param name="model">The base model.</param>
public sealed class BaseEditor(TransformerModel model) : IModelEditor, IEditSnapshot
{
    /// <inheritdoc/>
    public string Name => "base";

    /// <inheritdoc/>
    public TransformerModel Model => model;

    /// <inheritdoc/>
    public long AddedParameters => 0;

    /// <inheritdoc/>
    public IEditSnapshot Current => this;

    /// <inheritdoc/>
    public EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default) => new(0, double.NaN, 0);

    /// <inheritdoc/>
    public EditedPrompts Prepare(IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ScopeDecision[] scope = new ScopeDecision[prompts.Count];
        Array.Fill(scope, new ScopeDecision(InScope: false));
        return new EditedPrompts(model, prompts, PromptBatch.Prefill(model, prompts), scope, (_, _) => null);
    }
}
