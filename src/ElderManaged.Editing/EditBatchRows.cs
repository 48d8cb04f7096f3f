using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing;

/// <summary>
/// A batch of edits packed for teacher forcing: every sequence is its prompt followed by its target without the last
/// token, one after another and without padding; the rows that predict target tokens are known, because the loss needs
/// logits only there.
/// </summary>
/// <remarks>Immutable. What the loss costs is set out in ELDER's terms: mean cross-entropy over all target tokens of the batch.</remarks>
public sealed class EditBatchRows
{
    /// <summary>Packs a batch.</summary>
    /// <exception cref="ArgumentException">The batch is empty, or an edit has no prompt or target tokens.</exception>
    public EditBatchRows(IReadOnlyList<EncodedEdit> batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Count == 0)
        {
            throw new ArgumentException("A batch of edits needs at least one edit.");
        }

        int[] lengths = new int[batch.Count];
        int targets = 0;
        for (int s = 0; s < lengths.Length; s++)
        {
            if (batch[s].Prompt.Length == 0 || batch[s].Target.Length == 0)
            {
                throw new ArgumentException($"Edit {s} ({EditException.Quote(batch[s].FactId)}) has {batch[s].Prompt.Length} prompt and {batch[s].Target.Length} target tokens; both need at least one.");
            }

            lengths[s] = batch[s].Prompt.Length + batch[s].Target.Length - 1;
            targets += batch[s].Target.Length;
        }

        Layout = new SequenceLayout(lengths);
        Ids = new int[Layout.Rows];
        TargetRows = new int[targets];
        Targets = new int[targets];
        LastPromptRows = new int[lengths.Length];
        int at = 0;
        for (int s = 0; s < lengths.Length; s++)
        {
            (int[] prompt, int[] target) = (batch[s].Prompt, batch[s].Target);
            int start = Layout.Starts[s];
            prompt.CopyTo(Ids, start);
            target.AsSpan(0, target.Length - 1).CopyTo(Ids.AsSpan(start + prompt.Length));
            LastPromptRows[s] = start + prompt.Length - 1;
            for (int t = 0; t < target.Length; t++, at++)
            {
                TargetRows[at] = LastPromptRows[s] + t; // row of the token before target[t]
                Targets[at] = target[t];
            }
        }
    }

    /// <summary>The token of every row.</summary>
    public int[] Ids { get; }

    /// <summary>Which rows belong to which edit.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>The rows whose output predicts a target token.</summary>
    public int[] TargetRows { get; }

    /// <summary>The token that each of <see cref="TargetRows"/> shall predict.</summary>
    public int[] Targets { get; }

    /// <summary>The row of the last prompt token of each edit: ELDER's query, and the first of its target rows.</summary>
    public int[] LastPromptRows { get; }

    /// <summary>
    /// The residual stream entering block <paramref name="layer"/> of the unedited model [rows, width]. Blocks below the
    /// first edited one are frozen, so this is computed once for all iterations of a batch.
    /// </summary>
    public Tensor HiddenEntering(TransformerModel model, int layer)
    {
        ArgumentNullException.ThrowIfNull(model);
        using Tape tape = Tape.Start(record: false);
        ForwardContext context = new(Layout);
        return model.Blocks(model.Embed(Ids, context), context, 0, layer).Clone();
    }

    /// <summary>
    /// The mean cross-entropy of the target tokens, with blocks run from <paramref name="layer"/> on and the vocabulary
    /// projected at target rows only.
    /// </summary>
    /// <param name="model">The base model.</param>
    /// <param name="hidden">From <see cref="HiddenEntering"/>.</param>
    /// <param name="layer">The first block to run.</param>
    /// <param name="adapter">The term that is being trained.</param>
    public Tensor Loss(TransformerModel model, Tensor hidden, int layer, IFeedForwardAdapter? adapter)
    {
        ArgumentNullException.ThrowIfNull(model);
        Tensor last = model.Blocks(hidden, new ForwardContext(Layout) { Adapter = adapter }, layer, model.LayerCount);
        return Op.Mean(model.Losses(Op.GatherRows(last, TargetRows), Targets));
    }
}
