using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Weights;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models;

/// <summary>A block cut open at the site of an editor.</summary>
/// <param name="Hidden">The residual stream to which the feed-forward part will be added [rows, width].</param>
/// <param name="Input">v, what the frozen layer at the site reads [rows, in].</param>
/// <param name="Output">W·v + b, what it gives [rows, out].</param>
public readonly record struct BlockAtSite(Tensor Hidden, Tensor Input, Tensor Output);

/// <summary>
/// A decoder-only language model taken apart at its blocks, so that an editor can start in the middle: embed, run
/// blocks, project the rows it needs.
/// </summary>
/// <remarks>
/// A frozen model never changes and may be used by many threads at once. A trainable one belongs to its trainer.
/// </remarks>
public abstract class TransformerModel
{
    private protected TransformerModel(ModelConfig config) => Config = config;

    /// <summary>Sizes and constants, as in <c>config.json</c>.</summary>
    public ModelConfig Config { get; }

    /// <summary>The number of blocks.</summary>
    public int LayerCount => Config.LayerCount;

    /// <summary>The width of the residual stream.</summary>
    public int Width => Config.HiddenSize;

    /// <summary>The width of a row of keys or values in the cache.</summary>
    public abstract int KeyValueWidth { get; }

    /// <summary>The parameters by checkpoint name; empty for a frozen model.</summary>
    public IReadOnlyList<Parameter> Parameters { get; private protected set; } = [];

    /// <summary>Where the model computes.</summary>
    public Device Device { get; private set; } = Device.Cpu;

    /// <summary>
    /// Lets the model compute on a device from now on. Parameters are moved there; frozen weights keep their place on the host
    /// and get a copy on the device, in the format they are stored in, when they are first used there; loading with
    /// <see cref="LoadOptions.Device"/> makes these copies while it reads on and while the first blocks compute.
    /// </summary>
    /// <remarks>Not while another thread uses the model.</remarks>
    public void MoveTo(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        foreach (Parameter parameter in Parameters)
        {
            parameter.Value.MoveTo(device);
        }
    }

    /// <summary>The layer to which editors attach at a site of a block.</summary>
    /// <exception cref="NotSupportedException">The architecture has no such layer.</exception>
    public abstract LinearLayer FeedForward(int layer, FeedForwardSite site);

    /// <summary>The checkpoint name of that layer, such as <c>transformer.h.0.mlp.c_fc</c>.</summary>
    public abstract string FeedForwardName(int layer, FeedForwardSite site);

    /// <summary>The site that ELDER edits in this architecture.</summary>
    public abstract FeedForwardSite ElderSite { get; }

    /// <summary>Token ids of all rows → residual stream [rows, width].</summary>
    public abstract Tensor Embed(int[] ids, ForwardContext context);

    /// <summary>One block: residual stream [rows, width] → [rows, width].</summary>
    public Tensor Block(int layer, Tensor hidden, ForwardContext context) => FromSite(layer, ToSite(layer, hidden, context), context);

    /// <summary>
    /// The first part of a block, up to and with the frozen layer at <see cref="ElderSite"/>. Nothing that an editor does
    /// at that site of this block changes it, so a loop that trains there needs it once.
    /// </summary>
    public abstract BlockAtSite ToSite(int layer, Tensor hidden, ForwardContext context);

    /// <summary>The rest of a block, beginning with the editor's term at <see cref="ElderSite"/> → residual stream [rows, width].</summary>
    public abstract Tensor FromSite(int layer, BlockAtSite at, ForwardContext context);

    /// <summary>Only appends a block's keys and values to the context's cache: what the last block of a prompt is needed for.</summary>
    public abstract void AppendKeyValues(int layer, Tensor hidden, ForwardContext context);

    /// <summary>The last norm: [rows, width] → [rows, width].</summary>
    public abstract Tensor FinalNorm(Tensor hidden);

    /// <summary>The output projection of normalised rows: [rows, width] → logits [rows, vocabulary].</summary>
    public abstract Tensor Project(Tensor normalised);

    /// <summary>Blocks <paramref name="first"/> up to but without <paramref name="end"/>.</summary>
    /// <remarks>
    /// On a tape that does not record, each block has a scope of its own: what it needs inside is given back before the next one,
    /// so a pass over many rows holds one block's activations instead of all. Observers may then keep
    /// <see cref="Activation.Hidden"/>, and of other activations only copies.
    /// </remarks>
    public Tensor Blocks(Tensor hidden, ForwardContext context, int first, int end)
    {
        for (int layer = first; layer < end; layer++)
        {
            context.Observe?.Invoke(Activation.Hidden, layer, hidden);
            hidden = Tape.Current is { Records: false } ? BlockInOwnScope(layer, hidden, context) : Block(layer, hidden, context);
        }

        return hidden;
    }

    /// <summary>Ids → residual stream after the last block [rows, width].</summary>
    public Tensor Forward(int[] ids, ForwardContext context)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Length != context.Layout.Rows)
        {
            throw new ArgumentException($"Forward: {ids.Length} token ids for a layout of {context.Layout.Rows} rows.");
        }

        return Blocks(Embed(ids, context), context, 0, LayerCount);
    }

    /// <summary>Residual stream after the last block → logits [rows, vocabulary].</summary>
    public Tensor Logits(Tensor hidden, ForwardContext? context = null)
    {
        Tensor normalised = FinalNorm(hidden);
        context?.Observe?.Invoke(Activation.FinalNorm, LayerCount, normalised);
        return Project(normalised);
    }

    /// <summary>
    /// Residual stream after the last block [rows, width] → −ln of the probability of every row's target [rows]. Where a gradient is wanted, faster than by
    /// way of <see cref="Logits"/>, and without their memory.
    /// </summary>
    /// <param name="hidden">[rows, width].</param>
    /// <param name="targets">The token after each row, or <see cref="Op.IgnoredTarget"/>. Not copied: must not change until the tape ends.</param>
    public Tensor Losses(Tensor hidden, int[] targets) => ProjectToLosses(FinalNorm(hidden), targets);

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c> under Hugging Face names.</summary>
    public void Save(string folder, StoredType type = StoredType.F32)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter writer = new();
        writer.AddMetadata("format", "pt");
        Export(new WeightSink(writer, type));
        writer.Save(Path.Combine(folder, "model.safetensors"));
        Config.Save(Path.Combine(folder, "config.json"));
    }

    /// <summary>Loads a model in any of the <see cref="ModelFormats"/>, with frozen weights.</summary>
    /// <param name="path">A Hugging Face folder, a safetensors file in one, a GGUF file, or a llama2.c file.</param>
    /// <param name="options">How; null keeps matrices in the format they are stored in.</param>
    /// <exception cref="CheckpointException">What is missing or broken, by file and tensor.</exception>
    public static TransformerModel Load(string path, LoadOptions? options = null)
    {
        using Checkpoint checkpoint = Checkpoint.Open(path);
        return Load(checkpoint, options);
    }

    /// <summary>Loads a model from an open checkpoint, with frozen weights; the checkpoint may be closed afterwards.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="options">How; null keeps matrices in the format they are stored in.</param>
    /// <exception cref="CheckpointException">What is missing or broken, by file and tensor.</exception>
    public static TransformerModel Load(Checkpoint checkpoint, LoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        options ??= LoadOptions.Default;
        TransformerModel model = Create(checkpoint.Config, new FrozenWeights(checkpoint, options));
        model.MoveTo(options.Device);
        return model;
    }

    /// <summary>Loads a model in any of the <see cref="ModelFormats"/>, with float32 parameters that can be trained.</summary>
    /// <param name="path">As for <see cref="Load(string, LoadOptions)"/>.</param>
    /// <exception cref="CheckpointException">What is missing or broken, by file and tensor.</exception>
    public static TransformerModel LoadTrainable(string path)
    {
        using Checkpoint checkpoint = Checkpoint.Open(path);
        return Create(checkpoint.Config, new TrainableWeights(checkpoint, random: null));
    }

    /// <summary>A fresh trainable model with the usual initialisation of its architecture.</summary>
    public static TransformerModel CreateTrainable(ModelConfig config, ulong seed) =>
        Create(config, new TrainableWeights(null, new RandomSource(seed)));

    /// <summary>
    /// A frozen model of random weights, made in memory: sizes and speed of a real one without its file. The same seed gives
    /// the same bits for any number of threads.
    /// </summary>
    /// <param name="config">The sizes.</param>
    /// <param name="seed">Makes the numbers.</param>
    /// <param name="numbers">How the weights of linear layers are kept.</param>
    public static TransformerModel CreateFrozen(ModelConfig config, ulong seed, StoredNumbers numbers = StoredNumbers.Float32) =>
        Create(config, new RandomFrozenWeights(seed, numbers));

    /// <summary>
    /// A model without weights, which takes next to no memory whatever its sizes: layers know their widths and names, and
    /// computing throws. For counting and planning.
    /// </summary>
    /// <param name="config">The sizes.</param>
    public static TransformerModel Outline(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Create(config, new ListedWeights());
    }

    internal static TransformerModel Create(ModelConfig config, WeightSource weights) => config switch
    {
        _ when !weights.HasRoomFor(config.LayerCount) => throw new CheckpointException($"The configuration says {config.LayerCount} layers, but there are not so many tensors."),
        Gpt2.Gpt2Config gpt2 => new Gpt2.Gpt2Model(gpt2, weights),
        Llama.LlamaConfig llama => new Llama.LlamaModel(llama, weights),
        _ => throw new NotSupportedException($"No model is written for {config.GetType().Name}."),
    };

    private protected abstract void Export(WeightSink sink);

    private protected abstract Tensor ProjectToLosses(Tensor normalised, int[] targets);

    /// <summary>From the last block's attention on only the rows that are asked for are needed.</summary>
    private protected (Tensor Mixed, Tensor Hidden) KeepOutputRows(int layer, Tensor mixed, Tensor hidden, ForwardContext context) =>
        context.OutputRows is { } rows && layer == LayerCount - 1
            ? (Op.GatherRows(mixed, rows), Op.GatherRows(hidden, rows))
            : (mixed, hidden);

    private protected static NotSupportedException NoSite(string architecture, FeedForwardSite site) =>
        new($"{architecture} has no feed-forward layer at the site {site}; use {FeedForwardSite.Contract}.");

    private Tensor BlockInOwnScope(int layer, Tensor hidden, ForwardContext context)
    {
        int rows = layer == LayerCount - 1 && context.OutputRows is { } only ? only.Length : hidden.Shape[0];
        Tensor result = Tape.NewTensor(new Shape(rows, Width));
        using (Tape.Start(record: false))
        {
            Block(layer, hidden, context).CopyTo(result);
        }

        return result;
    }
}
