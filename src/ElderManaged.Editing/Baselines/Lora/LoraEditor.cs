using System.Diagnostics;
using ElderManaged.Models;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Baselines.Lora;

/// <summary>
/// Plain LoRA (Hu et al. 2021, arXiv 2106.09685, eq. 3) trained on through the stream: y = W·v + b + (α/r)·B·A·v in each
/// edited layer, for every token of every input. What ELDER is without routing, guidance and deferral.
/// </summary>
/// <remarks>One thread edits; <see cref="Current"/> may be used by many.</remarks>
public sealed class LoraEditor : IPersistentEditor
{
    private readonly FeedForwardSite site;
    private readonly Parameter[] parameters; // A and B of each layer in turn
    private readonly ParameterGuard guard;
    private readonly Adam adam;
    private readonly LoraAdapter trained;
    private readonly float scale;
    private volatile IEditSnapshot current;
    private long batches;

    /// <summary>An editor that has learned nothing yet.</summary>
    /// <exception cref="EditException">An option does not fit the model.</exception>
    public LoraEditor(TransformerModel model, LoraOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        Options = options ?? new LoraOptions();
        OptionsJson = EditorOptions.ToJson(Options, EditorJson.Default.LoraOptions);
        Layers = [.. Options.Layers ?? LoraOptions.DefaultLayers(model)];
        EditorOptions.RequireLayers("LoRA", Layers, model);
        EditorOptions.Require(Options.Rank > 0, $"LoRA: the rank {Options.Rank} must be positive.");
        EditorOptions.Require(Options.Iterations > 0, $"LoRA: {Options.Iterations} iterations; at least one is needed.");
        EditorOptions.Require(Options.LearningRate > 0 && float.IsFinite(Options.LearningRate), $"LoRA: the learning rate {Options.LearningRate} must be positive.");
        site = model.ElderSite;
        scale = (Options.Alpha ?? Options.Rank) / Options.Rank;

        RandomSource random = new(Options.Seed);
        parameters = new Parameter[2 * Layers.Count];
        Tensor[] a = new Tensor[Layers.Count], b = new Tensor[Layers.Count];
        for (int i = 0; i < a.Length; i++)
        {
            LinearLayer layer = model.FeedForward(Layers[i], site);
            string name = model.FeedForwardName(Layers[i], site);
            a[i] = new Tensor(new Shape(Options.Rank, layer.InFeatures)) { RequiresGrad = true };
            b[i] = new Tensor(new Shape(layer.OutFeatures, Options.Rank)) { RequiresGrad = true };
            float bound = 1 / MathF.Sqrt(layer.InFeatures); // Kaiming with a = √5; B = 0 starts at the base model
            random.FillUniform(a[i].Span, -bound, bound);
            parameters[2 * i] = new Parameter($"{name}.lora_A", a[i]);
            parameters[(2 * i) + 1] = new Parameter($"{name}.lora_B", b[i]);
        }

        guard = new ParameterGuard(parameters);
        adam = new Adam(parameters, new AdamOptions { LearningRate = Options.LearningRate });
        trained = new LoraAdapter(Layers, site, a, b, scale);
        current = new AdapterSnapshot(model, null);
    }

    /// <inheritdoc/>
    public string Name => "lora";

    /// <inheritdoc/>
    public TransformerModel Model { get; }

    /// <summary>The settings.</summary>
    public LoraOptions Options { get; }

    /// <inheritdoc/>
    public string OptionsJson { get; }

    /// <summary>The edited blocks, ascending.</summary>
    public IReadOnlyList<int> Layers { get; }

    /// <inheritdoc/>
    public long AddedParameters => parameters.Sum(p => (long)p.Value.Length);

    /// <inheritdoc/>
    public IEditSnapshot Current => current;

    /// <inheritdoc/>
    public EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default)
    {
        Stopwatch watch = Stopwatch.StartNew();
        EditBatchRows rows = new(batch);
        Tensor hidden = rows.HiddenEntering(Model, Layers[0]);
        adam.Reset(); // a new optimiser for every batch
        guard.Remember();
        float loss = 0;
        try
        {
            for (int step = 0; step < Options.Iterations; step++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using Tape tape = Tape.Start();
                Tensor value = rows.Loss(Model, hidden, Layers[0], trained);
                loss = EditorOptions.RequireFinite(value.Value, Name, step);
                adam.ZeroGrad();
                tape.Backward(value);
                adam.Step();
            }
        }
        catch
        {
            guard.Restore();
            throw;
        }

        batches++;
        Publish();
        return new EditBatchResult(Options.Iterations, loss, watch.Elapsed.TotalSeconds);
    }

    /// <inheritdoc/>
    public void Save(string folder) => BaselineFile.Save(folder, this, parameters, batches);

    /// <inheritdoc/>
    public void Load(string folder)
    {
        batches = BaselineFile.Load(folder, this, parameters);
        Publish();
    }

    private void Publish() => current = new AdapterSnapshot(Model, batches == 0 ? null : trained.Copy());

    private sealed class LoraAdapter(IReadOnlyList<int> layers, FeedForwardSite edited, Tensor[] a, Tensor[] b, float scale) : IFeedForwardAdapter
    {
        private readonly int first = layers[0];
        private readonly int[] index = IndexOf(layers); // block − first → which pair, or −1

        public bool Applies(int layer, FeedForwardSite site) =>
            site == edited && layer >= first && layer - first < index.Length && index[layer - first] >= 0;

        public Tensor Adapt(int layer, FeedForwardSite site, Tensor input, Tensor output)
        {
            int i = index[layer - first];
            Tensor term = Op.Linear(Op.Linear(input, a[i], null), b[i], null); // (R, in) → (R, r) → (R, out)
            return Op.Add(output, scale == 1 ? term : Op.Scale(term, scale));
        }

        // Clones require no gradient, so a snapshot records nothing and never changes.
        public LoraAdapter Copy() => new(layers, edited, [.. a.Select(t => t.Clone())], [.. b.Select(t => t.Clone())], scale);

        private static int[] IndexOf(IReadOnlyList<int> layers)
        {
            int[] index = new int[layers[^1] - layers[0] + 1];
            Array.Fill(index, -1);
            for (int i = 0; i < layers.Count; i++)
            {
                index[layers[i] - layers[0]] = i;
            }

            return index;
        }
    }
}
