using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// What the frozen part of the model says about one edit, computed once: the first edited block up to where the LoRAs
/// act, for the rows that training runs, and the keys and values before them. It has the same bits whatever else is prepared
/// with it, because no row depends on other sequences. It stays on the device where the model computes.
/// </summary>
internal sealed class PreparedEdit
{
    /// <summary>Rows of one pass: enough for products at full speed, few enough to bound the memory of large batches.</summary>
    private const int RowsOfAPass = 512;

    private PreparedEdit(BlockAtSite at, int firstRow, int rows, int pastLength, KeyValueCache? past, int[] targets, Tensor? query)
    {
        Tensor Copy(Tensor x) => Op.SliceRows(x, firstRow, rows).Clone();

        (Hidden, Input, Output) = (Copy(at.Hidden), Copy(at.Input), Copy(at.Output));
        (Rows, Past, PastLength, Targets, Query) = (rows, past, pastLength, targets, query);
    }

    /// <summary>The residual stream to which the first edited block's feed-forward part is added [rows, width].</summary>
    public Tensor Hidden { get; }

    /// <summary>What the first edited layer reads [rows, in].</summary>
    public Tensor Input { get; }

    /// <summary>What it gives without LoRAs [rows, out].</summary>
    public Tensor Output { get; }

    /// <summary>How many rows training runs; the last of them, as many as there are targets, predict the target tokens.</summary>
    public int Rows { get; }

    /// <summary>Keys and values of the positions before the rows, in the blocks above the first edited one; null if none are.</summary>
    public KeyValueCache? Past { get; }

    public int PastLength { get; }

    public int[] Targets { get; }

    /// <summary>The routers' query [1, width]; null without routers.</summary>
    public Tensor? Query { get; }

    public long Bytes { get; private init; }

    /// <summary>Runs the frozen blocks for one edit.</summary>
    /// <param name="model">The base model.</param>
    /// <param name="options">First edited layer, where LoRAs act, and whether there are routers.</param>
    /// <param name="prompt">Token ids.</param>
    /// <param name="target">Token ids; the last one is predicted but never read.</param>
    public static PreparedEdit Prepare(TransformerModel model, ElderOptions options, int[] prompt, int[] target) =>
        Prepare(model, options, [(prompt, target)])[0];

    /// <summary>Runs the frozen blocks for several edits together.</summary>
    public static PreparedEdit[] Prepare(TransformerModel model, ElderOptions options, IReadOnlyList<(int[] Prompt, int[] Target)> edits)
    {
        List<PreparedEdit> prepared = new(edits.Count);
        while (prepared.Count < edits.Count)
        {
            int first = prepared.Count, end = first, rows = 0;
            do
            {
                rows += RowsOf(edits[end++]);
            }
            while (end < edits.Count && rows + RowsOf(edits[end]) <= RowsOfAPass);

            prepared.AddRange(Pass(model, options, [.. edits.Skip(first).Take(end - first)]));
        }

        return [.. prepared];
    }

    private static int RowsOf((int[] Prompt, int[] Target) edit) => edit.Prompt.Length + edit.Target.Length - 1;

    private static PreparedEdit[] Pass(TransformerModel model, ElderOptions options, (int[] Prompt, int[] Target)[] edits)
    {
        int first = options.Layers[0];
        int[] past = [.. edits.Select(e => options.ActFromLastPromptToken ? e.Prompt.Length - 1 : 0)];
        SequenceLayout layout = new([.. edits.Select(RowsOf)]);
        Tensor?[] queries = new Tensor?[edits.Length];
        using Tape tape = Tape.Start(record: false);
        ForwardContext context = new(layout)
        {
            Observe = options.Routing != ElderRouting.Router ? null : (kind, layer, x) =>
            {
                for (int s = 0; kind == Activation.FeedForwardInput && layer == first - 1 && s < queries.Length; s++)
                {
                    queries[s] = Op.SliceRows(x, layout.Starts[s] + edits[s].Prompt.Length - 1, 1).Clone();
                }
            },
        };
        int[] ids = [.. edits.SelectMany(e => e.Prompt.Concat(e.Target.SkipLast(1)))];
        BlockAtSite at = model.ToSite(first, model.Blocks(model.Embed(ids, context), context, 0, first), context);
        KeyValueCache? cache = past.Any(p => p > 0) ? KeyValuesOfPast(model, first, at, layout, past) : null;
        return [.. edits.Select((e, s) => new PreparedEdit(
            at, layout.Starts[s] + past[s], layout.Lengths[s] - past[s], past[s], past[s] > 0 ? cache!.Select([s]) : null, e.Target, queries[s])
        {
            Bytes = sizeof(float) * ((long)(layout.Lengths[s] - past[s]) * (at.Hidden.Columns + at.Input.Columns + at.Output.Columns)
                + (queries[s]?.Length ?? 0)) + (past[s] > 0 ? cache!.Select([s]).Bytes : 0),
        })];
    }

    /// <summary>Goes on with the rows before those that training runs; their keys and values are all that is needed of them.</summary>
    private static KeyValueCache KeyValuesOfPast(TransformerModel model, int first, BlockAtSite at, SequenceLayout layout, int[] past)
    {
        int[] rows = new int[past.Sum()];
        int row = 0;
        for (int s = 0; s < past.Length; s++)
        {
            for (int t = 0; t < past[s]; t++)
            {
                rows[row++] = layout.Starts[s] + t;
            }
        }

        KeyValueCache cache = new(model, past.Length);
        ForwardContext context = new(new SequenceLayout(past)) { Cache = cache, AppendToCache = true };
        int last = model.LayerCount - 1;
        if (first < last)
        {
            BlockAtSite before = new(Op.GatherRows(at.Hidden, rows), Op.GatherRows(at.Input, rows), Op.GatherRows(at.Output, rows));
            Tensor hidden = model.FromSite(first, before, context);
            model.AppendKeyValues(last, model.Blocks(hidden, context, first + 1, last), context);
        }

        return cache;
    }
}
