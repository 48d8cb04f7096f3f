using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// What the frozen part of the model says about one edit, computed once: the residual stream entering the first edited
/// block for the rows that training runs, and what lies before them. Always computed for one edit alone, so that it has
/// the same bits whatever its batch.
/// </summary>
internal sealed class PreparedEdit
{
    private PreparedEdit(float[] entering, int rows, KeyValueCache? past, int pastLength, int[] targets, float[] query)
    {
        (Entering, Rows, Past, PastLength, Targets, Query) = (entering, rows, past, pastLength, targets, query);
    }

    /// <summary>[rows, width]; the last of them, as many as there are targets, predict the target tokens.</summary>
    public float[] Entering { get; }

    public int Rows { get; }

    /// <summary>Keys and values of the positions before the rows, in the blocks from the first edited one on; null if none are.</summary>
    public KeyValueCache? Past { get; }

    public int PastLength { get; }

    public int[] Targets { get; }

    /// <summary>The routers' query; empty without routers.</summary>
    public float[] Query { get; }

    public long Bytes { get; private init; }

    /// <summary>Runs the frozen blocks.</summary>
    /// <param name="model">The base model.</param>
    /// <param name="options">First edited layer, where LoRAs act, and whether there are routers.</param>
    /// <param name="prompt">Token ids.</param>
    /// <param name="target">Token ids; the last one is predicted but never read.</param>
    public static PreparedEdit Prepare(TransformerModel model, ElderOptions options, int[] prompt, int[] target)
    {
        int first = options.Layers[0], past = options.ActFromLastPromptToken ? prompt.Length - 1 : 0;
        KeyValueCache? cache = past > 0 ? new KeyValueCache(model, 1) : null;
        using Tape tape = Tape.Start(record: false);
        if (cache is not null)
        {
            ForwardContext before = new(new SequenceLayout([past])) { Cache = cache, AppendToCache = true };
            model.Forward(prompt[..past], before);
        }

        int[] ids = [.. prompt[past..], .. target[..^1]];
        float[] query = [];
        ForwardContext context = new(new SequenceLayout([ids.Length], [past]))
        {
            Cache = cache,
            Observe = options.Routing != ElderRouting.Router ? null : (kind, layer, x) =>
            {
                if (kind == Activation.FeedForwardInput && layer == first - 1)
                {
                    query = x.Row(prompt.Length - 1 - past).ToArray();
                }
            },
        };
        float[] entering = model.Blocks(model.Embed(ids, context), context, 0, first).Span.ToArray();
        for (int layer = 0; cache is not null && layer < first; layer++)
        {
            cache.Layer(layer)[0] = new KeyValueSegment(model.KeyValueWidth); // not needed again
        }

        long floats = entering.Length + query.Length + (2L * past * model.KeyValueWidth * (model.LayerCount - first));
        return new PreparedEdit(entering, ids.Length, cache, past, target, query) { Bytes = 4 * floats };
    }
}
