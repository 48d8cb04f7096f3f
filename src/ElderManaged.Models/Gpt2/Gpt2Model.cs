using ElderManaged.Models.Weights;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Gpt2;

/// <summary>
/// GPT-2 (Radford et al. 2019): learned positions, layer norm before each part, fused query-key-value projection,
/// GELU (tanh form), output tied to the token embedding. Checkpoint names are those of Hugging Face's
/// <c>GPT2LMHeadModel</c>, whose <c>Conv1D</c> weights are [in, out].
/// </summary>
public sealed class Gpt2Model : TransformerModel
{
    // R = rows (tokens of all sequences), C = width, F = inner width, V = vocabulary
    private readonly string prefix;
    private readonly TokenTable tokenEmbedding;    // (V, C)
    private readonly TokenTable positionEmbedding; // (positions, C)
    private readonly BlockWeights[] blocks;
    private readonly LayerNorm finalNorm;
    private readonly LinearLayer head;

    internal Gpt2Model(Gpt2Config config, WeightSource weights) : base(config)
    {
        int c = config.HiddenSize;
        prefix = weights.Has("transformer.wte.weight") ? "transformer." : "";
        Initialization.Normal normal = new(0.02f);
        // Residual projections start smaller: each of the 2·layers additions may add variance (Radford et al. 2019).
        Initialization.Normal residual = new(0.02f / MathF.Sqrt(2 * config.LayerCount));
        Initialization.Constant zero = new(0), one = new(1);

        LayerNorm Norm(string name) => new(
            weights.Tensor($"{name}.weight", new Shape(c), one), weights.Tensor($"{name}.bias", new Shape(c), zero), config.LayerNormEpsilon);

        tokenEmbedding = weights.Embedding($"{prefix}wte.weight", config.VocabSize, c, normal);
        positionEmbedding = weights.Embedding($"{prefix}wpe.weight", config.MaxPositions, c, new Initialization.Normal(0.01f));
        blocks = new BlockWeights[config.LayerCount];
        for (int l = 0; l < blocks.Length; l++)
        {
            string block = $"{prefix}h.{l}";
            blocks[l] = new BlockWeights(
                Norm($"{block}.ln_1"),
                weights.Linear($"{block}.attn.c_attn", c, 3 * c, bias: true, transposed: true, normal),
                weights.Linear($"{block}.attn.c_proj", c, c, bias: true, transposed: true, residual),
                Norm($"{block}.ln_2"),
                weights.Linear($"{block}.mlp.c_fc", c, config.InnerSize, bias: true, transposed: true, normal),
                weights.Linear($"{block}.mlp.c_proj", config.InnerSize, c, bias: true, transposed: true, residual));
        }

        finalNorm = Norm($"{prefix}ln_f");
        head = config.TieWordEmbeddings
            ? tokenEmbedding.Head
            : weights.Linear("lm_head", c, config.VocabSize, bias: false, transposed: false, normal);
        Parameters = weights.Parameters;
    }

    /// <inheritdoc/>
    public override int KeyValueWidth => Width;

    /// <inheritdoc/>
    public override FeedForwardSite ElderSite => FeedForwardSite.Expand;

    /// <inheritdoc/>
    public override LinearLayer FeedForward(int layer, FeedForwardSite site) =>
        site == FeedForwardSite.Expand ? blocks[layer].Expand : blocks[layer].Contract;

    /// <inheritdoc/>
    public override string FeedForwardName(int layer, FeedForwardSite site) =>
        $"{prefix}h.{layer}.mlp.{(site == FeedForwardSite.Expand ? "c_fc" : "c_proj")}";

    /// <inheritdoc/>
    public override Tensor Embed(int[] ids, ForwardContext context)
    {
        int[] positions = context.Layout.PositionArray;
        foreach (int position in positions)
        {
            if (position >= Config.MaxPositions)
            {
                throw new ArgumentException($"GPT-2: position {position} is beyond the {Config.MaxPositions} that the model knows; shorten the text.");
            }
        }

        return Op.Add(tokenEmbedding.Lookup(ids, Device), positionEmbedding.Lookup(positions, Device));
    }

    /// <inheritdoc/>
    public override BlockAtSite ToSite(int layer, Tensor hidden, ForwardContext context)
    {
        BlockWeights w = blocks[layer];
        int heads = Config.HeadCount;

        Tensor qkv = w.Attention.Forward(w.Norm1.Forward(hidden)); // (R, 3C)
        (Tensor q, Tensor k, Tensor v) = Op.SplitColumns3(qkv);    // (R, C) each
        Tensor mixed = Op.Attention(q, k, v, heads, heads, context.Layout, context.Cache?.Layer(layer));
        context.AppendKeyValues(layer, k, v);
        (mixed, hidden) = KeepOutputRows(layer, mixed, hidden, context);
        Tensor attention = w.AttentionOut.Forward(mixed);
        context.Observe?.Invoke(Activation.Attention, layer, attention);
        hidden = Op.Add(hidden, attention);

        Tensor x = w.Norm2.Forward(hidden);
        context.Observe?.Invoke(Activation.FeedForwardInput, layer, x);
        return new BlockAtSite(hidden, x, w.Expand.Forward(x));
    }

    /// <inheritdoc/>
    public override Tensor FromSite(int layer, BlockAtSite at, ForwardContext context)
    {
        Tensor inner = context.Adapt(layer, FeedForwardSite.Expand, at.Input, at.Output); // (R, F)
        Tensor active = Op.Gelu(inner);
        return Op.Add(at.Hidden, context.Adapt(layer, FeedForwardSite.Contract, active, blocks[layer].Contract.Forward(active)));
    }

    /// <inheritdoc/>
    public override void AppendKeyValues(int layer, Tensor hidden, ForwardContext context)
    {
        (_, Tensor k, Tensor v) = Op.SplitColumns3(blocks[layer].Attention.Forward(blocks[layer].Norm1.Forward(hidden)));
        context.AppendKeyValues(layer, k, v);
    }

    /// <inheritdoc/>
    public override Tensor FinalNorm(Tensor hidden) => finalNorm.Forward(hidden);

    /// <inheritdoc/>
    public override Tensor Project(Tensor normalised) => head.Forward(normalised);

    private protected override Tensor ProjectToLosses(Tensor normalised, int[] targets) => head.CrossEntropy(normalised, targets);

    private protected override void Export(WeightSink sink)
    {
        void AddNorm(string name, LayerNorm norm)
        {
            sink.Add($"{name}.weight", norm.Gain);
            sink.Add($"{name}.bias", norm.Bias);
        }

        const string Prefix = "transformer.";
        sink.Add($"{Prefix}wte.weight", tokenEmbedding);
        sink.Add($"{Prefix}wpe.weight", positionEmbedding);
        for (int l = 0; l < blocks.Length; l++)
        {
            string block = $"{Prefix}h.{l}";
            AddNorm($"{block}.ln_1", blocks[l].Norm1);
            sink.Add($"{block}.attn.c_attn", blocks[l].Attention, transposed: true);
            sink.Add($"{block}.attn.c_proj", blocks[l].AttentionOut, transposed: true);
            AddNorm($"{block}.ln_2", blocks[l].Norm2);
            sink.Add($"{block}.mlp.c_fc", blocks[l].Expand, transposed: true);
            sink.Add($"{block}.mlp.c_proj", blocks[l].Contract, transposed: true);
        }

        AddNorm($"{Prefix}ln_f", finalNorm);
        if (!Config.TieWordEmbeddings)
        {
            sink.Add("lm_head", head, transposed: false);
        }
    }

    private sealed record BlockWeights(
        LayerNorm Norm1, LinearLayer Attention, LinearLayer AttentionOut, LayerNorm Norm2, LinearLayer Expand, LinearLayer Contract);
}
