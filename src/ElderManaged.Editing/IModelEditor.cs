using ElderManaged.Models;
using ElderManaged.Models.Generation;

namespace ElderManaged.Editing;

/// <summary>An <see cref="EditRequest"/> in tokens.</summary>
/// <param name="FactId">The fact; phrasings of one fact share it.</param>
/// <param name="Prompt">Token ids of the prompt, at least one.</param>
/// <param name="Target">Token ids of the answer, at least one; ends with the end token unless that is switched off.</param>
/// <param name="Subject">Token ids of the subject as it stands inside a sentence, or empty.</param>
public sealed record EncodedEdit(string FactId, int[] Prompt, int[] Target, int[] Subject);

/// <summary>What one batch of edits cost.</summary>
/// <param name="Iterations">Optimiser steps made.</param>
/// <param name="FinalLoss">The mean target loss in the last step, before it was applied.</param>
/// <param name="Seconds">Wall-clock time.</param>
public sealed record EditBatchResult(int Iterations, double FinalLoss, double Seconds);

/// <summary>
/// A method of lifelong editing over a frozen base model: takes batches of edits, one after another, and offers what it
/// has become as an immutable snapshot.
/// </summary>
/// <remarks>
/// One thread edits; meanwhile any number of threads may use <see cref="Current"/>, which is swapped as a whole when a
/// batch is done. A cancelled or failed batch leaves the state of the last finished one.
/// </remarks>
public interface IModelEditor
{
    /// <summary>The method's name in tables and options, such as <c>elder</c> or <c>ft-l</c>.</summary>
    string Name { get; }

    /// <summary>The base model, which is never changed.</summary>
    TransformerModel Model { get; }

    /// <summary>How many numbers the method keeps beside the base model and trains.</summary>
    long AddedParameters { get; }

    /// <summary>The model as edited so far.</summary>
    IEditSnapshot Current { get; }

    /// <summary>Learns a batch; when it returns, <see cref="Current"/> knows it.</summary>
    /// <exception cref="OperationCanceledException">Nothing of this batch was kept.</exception>
    EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default);
}

/// <summary>An edited model at one moment; immutable, for any number of threads.</summary>
public interface IEditSnapshot
{
    /// <summary>Reads prompts, decides once for each whether edits act, and is ready to generate or to score answers.</summary>
    EditedPrompts Prepare(IReadOnlyList<int[]> prompts);
}

/// <summary>Whether the edits act on a prompt, and why.</summary>
/// <param name="InScope">False: the untouched base model answers, bit for bit.</param>
/// <param name="FactId">The recorded fact that is nearest, if the method has such a notion.</param>
/// <param name="Evidence">The method's own measure: a distance of codes, or the probability of being in scope.</param>
public readonly record struct ScopeDecision(bool InScope, string? FactId = null, double Evidence = double.NaN);

/// <summary>Prompts read by an edited model, with the decision taken for each.</summary>
public class EditedPrompts : PromptBatch
{
    private readonly Func<int[], Tensors.SequenceLayout, IFeedForwardAdapter?> adapter;

    /// <summary>Wraps what a snapshot prepared.</summary>
    /// <param name="model">The base model.</param>
    /// <param name="prompts">Token ids of each prompt.</param>
    /// <param name="cache">Keys and values of each prompt, with the edits acting where the method wants them to.</param>
    /// <param name="scope">One decision for each prompt.</param>
    /// <param name="adapter">
    /// Makes the term for a pass whose sequence i belongs to the prompt of the given index i; must leave the rows of
    /// prompts out of scope untouched, and return null when there are no others.
    /// </param>
    public EditedPrompts(
        TransformerModel model, IReadOnlyList<int[]> prompts, KeyValueCache cache, IReadOnlyList<ScopeDecision> scope,
        Func<int[], Tensors.SequenceLayout, IFeedForwardAdapter?> adapter)
        : base(model, prompts, cache)
    {
        Scope = scope;
        this.adapter = adapter;
    }

    /// <summary>The decision for each prompt.</summary>
    public IReadOnlyList<ScopeDecision> Scope { get; }

    /// <inheritdoc/>
    public override IFeedForwardAdapter? AdapterFor(int[] prompts, Tensors.SequenceLayout layout) => adapter(prompts, layout);
}
