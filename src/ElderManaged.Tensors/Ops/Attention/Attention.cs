namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// Causal scaled dot-product attention (Vaswani et al. 2017, eq. 1) over sequences of different lengths, packed
    /// without padding: y_t = Σ_p softmax_p(q_t · k_p / √D) v_p over all positions p up to t's own, for each head.
    /// With fewer key/value heads than query heads, query head h reads key/value head h / (heads / kvHeads)
    /// (grouped-query attention, Ainslie et al. 2023). Gradients flow to q, k and v.
    /// </summary>
    /// <param name="q">Queries [R, heads · D].</param>
    /// <param name="k">Keys [R, kvHeads · D].</param>
    /// <param name="v">Values [R, kvHeads · D].</param>
    /// <param name="heads">The number of query heads.</param>
    /// <param name="kvHeads">The number of key/value heads; divides <paramref name="heads"/>.</param>
    /// <param name="layout">Which rows belong to which sequence.</param>
    /// <param name="past">
    /// For each sequence keys and values of its first positions; needed where <paramref name="layout"/> has past positions,
    /// of which there must be at least as many. Constants without gradient. They may be appended to, but the positions in use
    /// must not change until the tape ends.
    /// </param>
    /// <returns>[R, heads · D].</returns>
    /// <remarks>
    /// The bits of a row depend on its own sequence up to its position only: not on the rest of the batch, nor on
    /// whether earlier positions come as past or as rows of the call. So generating with a cache equals the full pass bit for bit.
    /// </remarks>
    public static Tensor Attention(
        Tensor q, Tensor k, Tensor v, int heads, int kvHeads, SequenceLayout layout, KeyValueSegment?[]? past = null)
    {
        RequireAttention(q, k, v, heads, kvHeads, layout, past);
        Tensor y = Tape.NewTensor(q.Shape);
        bool record = Tape.Wants(q, k, v);

        // What the softmax needs to be made again in backward: its largest score and the inverse of its sum.
        Tensor? statistics = record ? Tape.NewTensor(new Shape(layout.Rows, 2 * heads)) : null;
        AttentionState state = new(q, k, v, y, statistics, heads, kvHeads, layout, past);
        if (GpuFeature.IsSupported && q.Gpu is { } gpu)
        {
            AttentionGpu.Forward(gpu, state);
        }
        else
        {
            AttentionKernel.Forward(state);
        }

        return !record
            ? y
            : GradNode.Record("Attention", y, state, static (s, y) =>
            {
                // y_t = Σ_p w_tp v_p, w_t = softmax(q_t·k/√D); see AttentionBackward for the gradient
                bool splits = s.TooFewGroups(CpuThreads.Count) && !(GpuFeature.IsSupported && s.Statistics!.Gpu is not null);
                bool wantsK = Tape.Wants(s.K);
                bool wantsV = Tape.Wants(s.V);
                AttentionInputs fresh = AttentionInputs.None;
                Tensor? Sink(Tensor x, AttentionInputs input)
                {
                    if (!Tape.Wants(x))
                    {
                        return null;
                    }

                    Tensor sink = x.GradSink(out bool first);
                    fresh |= first ? input : AttentionInputs.None;
                    return sink;
                }

                Tensor? dq = Sink(s.Q, AttentionInputs.Queries);
                Tensor? dk = Sink(s.K, AttentionInputs.Keys);
                Tensor? dv = Sink(s.V, AttentionInputs.Values);
                AttentionState backward = s with
                {
                    Level = Simd.Level,
                    Dq = dq,
                    Dk = dk,
                    Dv = dv,
                    Fresh = fresh,
                    SplitsGroups = splits,
                    PartialK = wantsK && splits ? Tape.NewTensor(s.Q.Shape) : null,
                    PartialV = wantsV && splits ? Tape.NewTensor(s.Q.Shape) : null,
                    Dy = y.Grad,
                };
                if (GpuFeature.IsSupported && s.Statistics!.Gpu is { } gpu)
                {
                    AttentionGpu.Backward(gpu, backward);
                }
                else
                {
                    AttentionKernel.Backward(backward);
                }
            });
    }

    private static void RequireAttention(
        Tensor q, Tensor k, Tensor v, int heads, int kvHeads, SequenceLayout layout, KeyValueSegment?[]? past)
    {
        ArgumentNullException.ThrowIfNull(q);
        ArgumentNullException.ThrowIfNull(layout);
        RequireSameShape(k, v, "Attention (keys and values)");
        if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0)
        {
            throw new ArgumentException($"Attention: {kvHeads} key/value heads do not divide {heads} query heads.");
        }

        if (q.Shape.Rank != 2 || q.Columns % heads != 0 || q.Rows != layout.Rows)
        {
            throw new ArgumentException($"Attention: the queries {q.Shape} must be [{layout.Rows} rows of the layout, a multiple of {heads} heads].");
        }

        int width = q.Columns / heads * kvHeads;
        if (k.Shape.Rank != 2 || k.Columns != width || k.Rows != layout.Rows)
        {
            throw new ArgumentException($"Attention: the keys and values {k.Shape} must be [{layout.Rows}, {width}], {kvHeads} heads as wide as those of the queries {q.Shape}.");
        }

        if (past is not null && past.Length != layout.Count)
        {
            throw new ArgumentException($"Attention: {past.Length} past segments were given for {layout.Count} sequences.");
        }

        for (int s = 0; s < layout.Count; s++)
        {
            int needed = layout.Past[s];
            if (needed > 0 && (past?[s] is not { } segment || segment.Length < needed || segment.Width != width))
            {
                string found = past?[s] is { } wrong ? $"its segment holds {wrong.Length} of width {wrong.Width}" : "it has none";
                throw new ArgumentException($"Attention: sequence {s} needs {needed} past positions of width {width}, {found}.");
            }
        }
    }
}

/// <summary>The tensors and sizes of one attention call.</summary>
/// <remarks>
/// <see cref="Statistics"/> is what backward needs to make the softmax again: for each row and head the largest score and the
/// inverse of the sum. <see cref="PartialK"/> and <see cref="PartialV"/> take the gradients of each query head for itself, where
/// several share a key/value head.
/// </remarks>
internal readonly record struct AttentionState(
    Tensor Q, Tensor K, Tensor V, Tensor Y, Tensor? Statistics, int Heads, int KvHeads, SequenceLayout Layout, KeyValueSegment?[]? Past)
{
    private const float Log2E = 1.44269504f;

    public SimdLevel Level { get; init; } = Simd.Level;

    /// <summary>D.</summary>
    public int Width { get; } = Q.Columns / Heads;

    /// <summary>From one row of queries to the next, and of keys or values.</summary>
    public int QueryStride { get; } = Q.Columns;

    /// <inheritdoc cref="QueryStride"/>
    public int KeyStride { get; } = K.Columns;

    /// <summary>1/√D.</summary>
    public float Scale => 1 / MathF.Sqrt(Width);

    /// <summary>log₂e/√D: softmax weights are powers of two of this times q·k.</summary>
    public float Factor => Log2E * Scale;

    /// <summary>Whether backward gives each query head of a group a part of its own, with partial sums. The bits are the same either way.</summary>
    public bool SplitsGroups { get; init; }

    /// <summary>The query heads of a part of backward.</summary>
    public int HeadsOfBackwardPart => SplitsGroups ? 1 : Heads / KvHeads;

    /// <summary>Whether key/value heads of all sequences are too few to keep threads busy.</summary>
    public bool TooFewGroups(int threads) => Heads != KvHeads && threads > 1 && Layout.Count * KvHeads < 2 * threads;

    /// <summary>Into how many parts the rows of each sequence are divided.</summary>
    public int Pieces { get; init; } = 1;

    /// <summary>All parts together, and how many of them a thread takes at a time.</summary>
    public int Parts { get; init; }

    /// <inheritdoc cref="Parts"/>
    public int PartsAtATime { get; init; }

    public Tensor? Dq { get; init; }

    public Tensor? Dk { get; init; }

    public Tensor? Dv { get; init; }

    public Tensor? PartialK { get; init; }

    public Tensor? PartialV { get; init; }

    public Tensor? Dy { get; init; }

    /// <summary>Inputs whose gradients had no contribution before: what lies there is undefined, and is set instead of added to.</summary>
    public AttentionInputs Fresh { get; init; }
}

/// <summary>Some of the inputs of attention.</summary>
[Flags]
internal enum AttentionInputs
{
    None = 0,
    Queries = 1,
    Keys = 2,
    Values = 4,
}
