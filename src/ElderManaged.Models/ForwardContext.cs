using ElderManaged.Tensors;

namespace ElderManaged.Models;

/// <summary>Points of a forward pass that can be looked at.</summary>
public enum Activation
{
    /// <summary>The residual stream entering a block [rows, width].</summary>
    Hidden,

    /// <summary>The output of a block's attention before the residual addition [rows, width].</summary>
    Attention,

    /// <summary>The input of <c>mlp.c_fc</c> (GPT-2) or <c>mlp.down_proj</c> (LLaMA).</summary>
    FeedForwardInput,

    /// <summary>The output of the last norm [rows, width]; its layer is the number of blocks.</summary>
    FinalNorm,
}

/// <summary>What a forward pass needs to know besides token ids; one object for one call.</summary>
public sealed class ForwardContext(SequenceLayout layout)
{
    /// <summary>Which rows belong to which sequence.</summary>
    public SequenceLayout Layout { get; } = layout;

    /// <summary>Keys and values of the positions before the rows; null when no sequence has a past.</summary>
    public KeyValueCache? Cache { get; init; }

    /// <summary>Whether the rows' own keys and values are appended to <see cref="Cache"/>.</summary>
    public bool AppendToCache { get; init; }

    /// <summary>The editor's term beside the feed-forward layers, or null for the base model.</summary>
    public IFeedForwardAdapter? Adapter { get; init; }

    /// <summary>
    /// The rows whose result is wanted, or null for all: behind its attention the last block computes only those, in this
    /// order, and so do the layers after it. Other blocks run all rows, which the wanted ones read.
    /// </summary>
    public int[]? OutputRows { get; init; }

    /// <summary>Called with activations as they arise, for probes and tests.</summary>
    public Action<Activation, int, Tensor>? Observe { get; init; }

    internal Tensor Adapt(int layer, FeedForwardSite site, Tensor input, Tensor output) =>
        Adapter is { } adapter && adapter.Applies(layer, site) ? adapter.Adapt(layer, site, input, output) : output;

    internal void AppendKeyValues(int layer, Tensor keys, Tensor values)
    {
        if (AppendToCache && Cache is { } cache)
        {
            cache.Append(layer, Layout, keys, values);
        }
    }
}

/// <summary>
/// Keys and values of earlier positions for every layer and sequence, so that a generated token costs one row.
/// </summary>
/// <remarks>Not thread-safe while it grows; a finished prefix may be read by many.</remarks>
public sealed class KeyValueCache
{
    private readonly KeyValueSegment[][] segments; // [layer][sequence]

    /// <summary>An empty cache.</summary>
    public KeyValueCache(TransformerModel model, int sequences, int capacity = 0)
        : this([.. Enumerable.Range(0, model.LayerCount).Select(_ =>
            Enumerable.Range(0, sequences).Select(_ => new KeyValueSegment(model.KeyValueWidth, capacity)).ToArray())])
    {
    }

    private KeyValueCache(KeyValueSegment[][] segments) => this.segments = segments;

    /// <summary>The number of sequences.</summary>
    public int Count => segments[0].Length;

    /// <summary>The memory taken by all segments.</summary>
    public long Bytes => segments.Sum(layer => layer.Sum(segment => segment.Bytes));

    /// <summary>The segments of a layer, one for each sequence.</summary>
    public KeyValueSegment[] Layer(int layer) => segments[layer];

    /// <summary>A cache whose sequences are the given ones of this cache, in that order; segments are shared, not copied.</summary>
    public KeyValueCache Select(ReadOnlySpan<int> sequences)
    {
        int[] chosen = sequences.ToArray();
        return new KeyValueCache([.. segments.Select(layer => chosen.Select(s => layer[s]).ToArray())]);
    }

    /// <summary>The sequences of several caches in a row; segments are shared, not copied.</summary>
    public static KeyValueCache Concat(IReadOnlyList<KeyValueCache> caches) =>
        new([.. Enumerable.Range(0, caches[0].segments.Length).Select(layer => caches.SelectMany(c => c.segments[layer]).ToArray())]);

    /// <summary>A copy cut to the first positions of each sequence, which may grow on its own.</summary>
    /// <param name="lengths">How many positions of each sequence are kept.</param>
    /// <param name="room">For how many more there shall be room at once.</param>
    public KeyValueCache Prefix(ReadOnlySpan<int> lengths, int room = 0)
    {
        int[] kept = lengths.ToArray();
        return new KeyValueCache([.. segments.Select(layer => layer.Select((segment, s) => segment.Prefix(kept[s], room)).ToArray())]);
    }

    internal void Append(int layer, SequenceLayout layout, Tensor keys, Tensor values)
    {
        for (int s = 0; s < layout.Count; s++)
        {
            segments[layer][s].Append(keys, values, layout.Starts[s], layout.Lengths[s]);
        }
    }
}
