using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>One sequence to train on: the frozen part's result and the LoRAs that shall learn it.</summary>
internal sealed record TrainingItem(PreparedEdit Edit, Allocation Allocation);

/// <summary>The items of one iteration packed without padding, new ones first; lives as long as the tape it was made in.</summary>
internal sealed class TrainingRows
{
    public TrainingRows(TransformerModel model, IReadOnlyList<TrainingItem> items, int newItems)
    {
        Layout = new SequenceLayout([.. items.Select(i => i.Edit.Rows)], [.. items.Select(i => i.Edit.PastLength)]);
        Entering = Tape.NewTensor(new Shape(Layout.Rows, model.Width));
        Targets = new int[items.Sum(i => i.Edit.Targets.Length)];
        TargetRows = new int[Targets.Length];
        Allocations = [.. items.Select(i => i.Allocation)];
        int at = 0;
        for (int s = 0; s < items.Count; s++)
        {
            PreparedEdit edit = items[s].Edit;
            edit.Entering.CopyTo(Entering.Span[(Layout.Starts[s] * model.Width)..]);
            for (int t = 0; t < edit.Targets.Length; t++, at++)
            {
                Targets[at] = edit.Targets[t];
                TargetRows[at] = Layout.LastRow(s) - edit.Targets.Length + 1 + t;
            }

            NewTargets = s < newItems ? at : NewTargets;
        }

        if (items.Any(i => i.Edit.Past is not null))
        {
            KeyValueCache none = new(model, 1);
            Past = KeyValueCache.Concat([.. items.Select(i => i.Edit.Past ?? none)]);
        }

        int queryWidth = items[0].Edit.Query.Length;
        if (queryWidth > 0)
        {
            Queries = Tape.NewTensor(new Shape(items.Count, queryWidth));
            for (int s = 0; s < items.Count; s++)
            {
                items[s].Edit.Query.CopyTo(Queries.Row(s));
            }
        }
    }

    public SequenceLayout Layout { get; }

    /// <summary>The residual stream entering the first edited block [rows, width].</summary>
    public Tensor Entering { get; }

    public KeyValueCache? Past { get; }

    public int[] TargetRows { get; }

    public int[] Targets { get; }

    /// <summary>How many of the targets belong to new items; the others are rehearsed.</summary>
    public int NewTargets { get; }

    public Allocation[] Allocations { get; }

    /// <summary>[items, query width], or null without routers.</summary>
    public Tensor? Queries { get; }
}
