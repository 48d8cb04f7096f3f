using ElderManaged.Models.Weights;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Llama;

/// <summary>
/// LLaMA (Touvron et al. 2023): rotary positions, RMS norm before each part, grouped key/value heads, SiLU-gated
/// feed-forward, no biases. Checkpoint names are those of Hugging Face's <c>LlamaForCausalLM</c>.
/// </summary>
public sealed class LlamaModel : TransformerModel
{
    // R = rows (tokens of all sequences), C = width, F = inner width, D = head width, V = vocabulary
    private readonly LlamaConfig config;
    private readonly TokenTable tokenEmbedding; // (V, C)
    private readonly BlockWeights[] blocks;
    private readonly RmsNorm finalNorm;
    private readonly LinearLayer head;

    internal LlamaModel(LlamaConfig config, WeightSource weights) : base(config)
    {
        this.config = config;
        int c = config.HiddenSize, f = config.InnerSize, heads = config.HeadCount * config.HeadSize, kv = config.KeyValueHeadCount * config.HeadSize;
        Initialization.Normal normal = new(0.02f);
        Initialization.Constant one = new(1);

        RmsNorm Norm(string name) => new(weights.Tensor($"{name}.weight", new Shape(c), one), config.RmsNormEpsilon);
        LinearLayer Linear(string name, int inputs, int outputs) =>
            weights.Linear(name, inputs, outputs, bias: false, transposed: false, normal);

        tokenEmbedding = weights.Embedding("model.embed_tokens.weight", config.VocabSize, c, normal);
        blocks = new BlockWeights[config.LayerCount];
        for (int l = 0; l < blocks.Length; l++)
        {
            string block = $"model.layers.{l}";
            blocks[l] = new BlockWeights(
                Norm($"{block}.input_layernorm"),
                Linear($"{block}.self_attn.q_proj", c, heads),
                Linear($"{block}.self_attn.k_proj", c, kv),
                Linear($"{block}.self_attn.v_proj", c, kv),
                Linear($"{block}.self_attn.o_proj", heads, c),
                Norm($"{block}.post_attention_layernorm"),
                Linear($"{block}.mlp.gate_proj", c, f),
                Linear($"{block}.mlp.up_proj", c, f),
                Linear($"{block}.mlp.down_proj", f, c));
        }

        finalNorm = Norm("model.norm");
        head = config.TieWordEmbeddings ? tokenEmbedding.Head : Linear("lm_head", c, config.VocabSize);
        Parameters = weights.Parameters;
    }

    /// <inheritdoc/>
    public override int KeyValueWidth => config.KeyValueHeadCount * config.HeadSize;

    /// <inheritdoc/>
    public override FeedForwardSite ElderSite => FeedForwardSite.Contract;

    /// <inheritdoc/>
    public override LinearLayer FeedForward(int layer, FeedForwardSite site) =>
        site == FeedForwardSite.Contract ? blocks[layer].Down : throw NoSite("LLaMA", site);

    /// <inheritdoc/>
    public override string FeedForwardName(int layer, FeedForwardSite site) =>
        site == FeedForwardSite.Contract ? $"model.layers.{layer}.mlp.down_proj" : throw NoSite("LLaMA", site);

    /// <inheritdoc/>
    public override Tensor Embed(int[] ids, ForwardContext context) => tokenEmbedding.Lookup(ids, Device);

    /// <inheritdoc/>
    public override BlockAtSite ToSite(int layer, Tensor hidden, ForwardContext context)
    {
        BlockWeights w = blocks[layer];

        Tensor x = w.Norm1.Forward(hidden);
        Tensor q = Op.Rope(w.Query.Forward(x), context.Layout, config.HeadSize, config.RopeTheta); // (R, heads · D)
        (Tensor k, Tensor v) = KeyValues(w, x, context); // (R, kv heads · D)
        Tensor mixed = Op.Attention(q, k, v, config.HeadCount, config.KeyValueHeadCount, context.Layout, context.Cache?.Layer(layer));
        context.AppendKeyValues(layer, k, v);
        (mixed, hidden) = KeepOutputRows(layer, mixed, hidden, context);
        Tensor attention = w.AttentionOut.Forward(mixed);
        context.Observe?.Invoke(Activation.Attention, layer, attention);
        hidden = Op.Add(hidden, attention);

        x = w.Norm2.Forward(hidden);
        Tensor inner = Op.SiluGate(w.Gate.Forward(x), w.Up.Forward(x)); // (R, F)
        context.Observe?.Invoke(Activation.FeedForwardInput, layer, inner);
        return new BlockAtSite(hidden, inner, w.Down.Forward(inner));
    }

    /// <inheritdoc/>
    public override Tensor FromSite(int layer, BlockAtSite at, ForwardContext context) =>
        Op.Add(at.Hidden, context.Adapt(layer, FeedForwardSite.Contract, at.Input, at.Output));

    /// <inheritdoc/>
    public override void AppendKeyValues(int layer, Tensor hidden, ForwardContext context)
    {
        (Tensor k, Tensor v) = KeyValues(blocks[layer], blocks[layer].Norm1.Forward(hidden), context);
        context.AppendKeyValues(layer, k, v);
    }

    private (Tensor Keys, Tensor Values) KeyValues(BlockWeights w, Tensor x, ForwardContext context) =>
        (Op.Rope(w.Key.Forward(x), context.Layout, config.HeadSize, config.RopeTheta), w.Value.Forward(x));

    /// <inheritdoc/>
    public override Tensor FinalNorm(Tensor hidden) => finalNorm.Forward(hidden);

    /// <inheritdoc/>
    public override Tensor Project(Tensor normalised) => head.Forward(normalised);

    private protected override Tensor ProjectToLosses(Tensor normalised, int[] targets) => head.CrossEntropy(normalised, targets);

    private protected override void Export(WeightSink sink)
    {
        sink.Add("model.embed_tokens.weight", tokenEmbedding);
        for (int l = 0; l < blocks.Length; l++)
        {
            string block = $"model.layers.{l}";
            BlockWeights w = blocks[l];
            sink.Add($"{block}.input_layernorm.weight", w.Norm1.Gain);
            sink.Add($"{block}.self_attn.q_proj", w.Query, transposed: false);
            sink.Add($"{block}.self_attn.k_proj", w.Key, transposed: false);
            sink.Add($"{block}.self_attn.v_proj", w.Value, transposed: false);
            sink.Add($"{block}.self_attn.o_proj", w.AttentionOut, transposed: false);
            sink.Add($"{block}.post_attention_layernorm.weight", w.Norm2.Gain);
            sink.Add($"{block}.mlp.gate_proj", w.Gate, transposed: false);
            sink.Add($"{block}.mlp.up_proj", w.Up, transposed: false);
            sink.Add($"{block}.mlp.down_proj", w.Down, transposed: false);
        }

        sink.Add("model.norm.weight", finalNorm.Gain);
        if (!Config.TieWordEmbeddings)
        {
            sink.Add("lm_head", head, transposed: false);
        }
    }

    private sealed record BlockWeights(
        RmsNorm Norm1, LinearLayer Query, LinearLayer Key, LinearLayer Value, LinearLayer AttentionOut,
        RmsNorm Norm2, LinearLayer Gate, LinearLayer Up, LinearLayer Down);
}
