using System.Diagnostics;
using ElderManaged.Models;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Baselines.FtL;

/// <summary>
/// FT-L (Meng et al. 2022, NeurIPS, section 3.1): constrained fine-tuning of one feed-forward output matrix. Adam on the
/// target's loss, and after each step every weight is clamped to within a small distance of its value before the edit.
/// </summary>
/// <remarks>
/// The base matrix stays as it is: what is tuned is a difference Δ beside it, y = W·v + b + Δ·v, which gives the same
/// gradients and can be taken away. Δ accumulates over the stream; the clamp is around Δ before the current batch.
/// One thread edits; <see cref="Current"/> may be used by many.
/// </remarks>
public sealed class FtLEditor : IPersistentEditor
{
    private const FeedForwardSite Site = FeedForwardSite.Contract;
    private readonly Parameter[] parameters;
    private readonly Tensor delta; // (out, in)
    private readonly ParameterGuard guard;
    private readonly Adam adam;
    private readonly TrainedAdapter trained;
    private volatile IEditSnapshot current;
    private long batches;

    /// <summary>An editor that has learned nothing yet.</summary>
    /// <exception cref="EditException">An option does not fit the model.</exception>
    public FtLEditor(TransformerModel model, FtLOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        Options = options ?? new FtLOptions();
        OptionsJson = EditorOptions.ToJson(Options, EditorJson.Default.FtLOptions);
        Layer = Options.Layer ?? FtLOptions.DefaultLayer(model);
        EditorOptions.Require(Layer >= 0 && Layer < model.LayerCount, $"FT-L: the layer {Layer} does not exist; the model has layers 0 to {model.LayerCount - 1}.");
        EditorOptions.Require(Options.MaxSteps > 0, $"FT-L: the most steps are {Options.MaxSteps}; at least one is needed.");
        EditorOptions.Require(Options.LearningRate > 0 && float.IsFinite(Options.LearningRate), $"FT-L: the learning rate {Options.LearningRate} must be positive.");
        EditorOptions.Require(Options.Clamp > 0, $"FT-L: the clamp {Options.Clamp} must be positive (infinity for none).");
        LinearLayer layer = model.FeedForward(Layer, Site);
        delta = new Tensor(new Shape(layer.OutFeatures, layer.InFeatures)) { RequiresGrad = true };
        parameters = [new Parameter($"{model.FeedForwardName(Layer, Site)}.delta", delta)];
        guard = new ParameterGuard(parameters);
        adam = new Adam(parameters, new AdamOptions { LearningRate = Options.LearningRate });
        trained = new TrainedAdapter(Layer, delta);
        current = new AdapterSnapshot(model, null);
    }

    /// <inheritdoc/>
    public string Name => "ft-l";

    /// <inheritdoc/>
    public TransformerModel Model { get; }

    /// <summary>The settings.</summary>
    public FtLOptions Options { get; }

    /// <inheritdoc/>
    public string OptionsJson { get; }

    /// <summary>The block whose output matrix is tuned.</summary>
    public int Layer { get; }

    /// <inheritdoc/>
    public long AddedParameters => delta.Length;

    /// <inheritdoc/>
    public IEditSnapshot Current => current;

    /// <summary>Δ as it is now [out, in]; read it on the editing thread.</summary>
    public ReadOnlySpan<float> Delta => delta.ReadOnlySpan;

    /// <inheritdoc/>
    public EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default)
    {
        Stopwatch watch = Stopwatch.StartNew();
        EditBatchRows rows = new(batch);
        Tensor hidden = rows.HiddenEntering(Model, Layer);
        adam.Reset(); // a new optimiser for every batch
        guard.Remember();
        int steps = 0;
        float loss = 0;
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using Tape tape = Tape.Start();
                Tensor value = rows.Loss(Model, hidden, Layer, trained);
                loss = EditorOptions.RequireFinite(value.Value, Name, steps);
                if (loss < Options.StopLoss || steps == Options.MaxSteps)
                {
                    break;
                }

                adam.ZeroGrad();
                tape.Backward(value);
                adam.Step();
                ClampTo(delta.Span, guard.Before(0), Options.Clamp);
                steps++;
            }
        }
        catch
        {
            guard.Restore();
            throw;
        }

        batches++;
        Publish();
        return new EditBatchResult(steps, loss, watch.Elapsed.TotalSeconds);
    }

    /// <inheritdoc/>
    public void Save(string folder) => BaselineFile.Save(folder, this, parameters, batches);

    /// <inheritdoc/>
    public void Load(string folder)
    {
        batches = BaselineFile.Load(folder, this, parameters);
        Publish();
    }

    private static void ClampTo(Span<float> values, ReadOnlySpan<float> center, float distance)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Math.Clamp(values[i], center[i] - distance, center[i] + distance);
        }
    }

    // Packed for the kernel, and a copy: the snapshot never sees later batches.
    private void Publish() => current = batches == 0
        ? new AdapterSnapshot(Model, null)
        : new AdapterSnapshot(Model, new FrozenAdapter(Layer, FrozenMatrix.FromDense(delta.ReadOnlySpan, delta.Shape[0], delta.Shape[1])));

    private sealed class TrainedAdapter(int edited, Tensor delta) : IFeedForwardAdapter
    {
        public bool Applies(int layer, FeedForwardSite site) => layer == edited && site == Site;

        public Tensor Adapt(int layer, FeedForwardSite site, Tensor input, Tensor output) =>
            Op.Add(output, Op.Linear(input, delta, null));
    }

    private sealed class FrozenAdapter(int edited, FrozenMatrix delta) : IFeedForwardAdapter
    {
        public bool Applies(int layer, FeedForwardSite site) => layer == edited && site == Site;

        public Tensor Adapt(int layer, FeedForwardSite site, Tensor input, Tensor output) =>
            Op.Add(output, Op.Linear(input, delta, null));
    }
}
