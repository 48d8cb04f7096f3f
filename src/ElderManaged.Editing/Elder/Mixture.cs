using ElderManaged.Models;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ElderManaged.Editing.Elder;

/// <summary>The trained tensors of one edited layer.</summary>
/// <param name="Layer">The block.</param>
/// <param name="A">A of all LoRAs [N, r, in].</param>
/// <param name="B">B of all LoRAs [N, r, out].</param>
/// <param name="RouterWeight">W_r [N, query width], or null without routers.</param>
/// <param name="RouterBias">b_r [N], or null without routers.</param>
public sealed record MixtureLayer(int Layer, Tensor A, Tensor B, Tensor? RouterWeight, Tensor? RouterBias);

/// <summary>All that ELDER keeps beside the base model and trains: in each edited layer N LoRAs and, with routed allocation, a router.</summary>
public sealed class Mixture
{
    private readonly Parameter[] parameters;

    private Mixture(FeedForwardSite site, MixtureLayer[] layers, Parameter[] parameters) =>
        (Site, Layers, this.parameters) = (site, layers, parameters);

    /// <summary>The feed-forward layer to which the LoRAs are attached.</summary>
    public FeedForwardSite Site { get; }

    /// <summary>The edited layers, lowest first.</summary>
    public IReadOnlyList<MixtureLayer> Layers { get; }

    /// <summary>All tensors with their names: the base layer's name and <c>.lora_A</c>, <c>.lora_B</c>, <c>.router.weight</c>, <c>.router.bias</c>.</summary>
    public IReadOnlyList<Parameter> Parameters => parameters;

    /// <summary>How many numbers that is.</summary>
    public long Count => parameters.Sum(p => (long)p.Value.Length);

    /// <summary>
    /// How many numbers a mixture would have: L·(N·r·(in + out)), and with routers L·N·(query width + 1) more. Of the paper's
    /// settings 1.57 million for GPT-2 XL and 3.16 million for LLaMA2-7B.
    /// </summary>
    /// <param name="model">The model, or its <see cref="TransformerModel.Outline"/>.</param>
    /// <param name="options">The editor's options.</param>
    public static long CountFor(TransformerModel model, ElderOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        FeedForwardSite site = model.ElderSite;
        long router = options.Routing == ElderRouting.Router ? model.FeedForward(options.Layers[0] - 1, site).InFeatures + 1 : 0;
        return options.Layers.Sum(layer =>
        {
            LinearLayer linear = model.FeedForward(layer, site);
            return options.LoraCount * (((long)options.Rank * (linear.InFeatures + linear.OutFeatures)) + router);
        });
    }

    /// <summary>
    /// A fresh mixture: A uniform, B zero (so the edited model starts as the base), routers as a default linear layer.
    /// </summary>
    /// <remarks>
    /// The paper's bound of A is 1/√r: the authors call Kaiming-uniform (a = √5) on A stored as [in, r], which takes r
    /// for the fan-in; LoRA's own convention (Hu et al. 2022) would give 1/√in.
    /// </remarks>
    public static Mixture Create(TransformerModel model, ElderOptions options, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(random);
        FeedForwardSite site = model.ElderSite;
        int n = options.LoraCount, r = options.Rank;
        List<Parameter> parameters = [];
        Tensor Make(string name, Shape shape, float bound)
        {
            Tensor tensor = new(shape) { RequiresGrad = true };
            if (bound > 0)
            {
                random.FillUniform(tensor.Span, -bound, bound);
            }

            parameters.Add(new Parameter(name, tensor));
            return tensor;
        }

        MixtureLayer[] layers = [.. options.Layers.Select(layer =>
        {
            LinearLayer linear = model.FeedForward(layer, site);
            string name = model.FeedForwardName(layer, site);
            Tensor a = Make($"{name}.lora_A", new Shape(n, r, linear.InFeatures), options.InitialBound ?? (1 / MathF.Sqrt(r)));
            Tensor b = Make($"{name}.lora_B", new Shape(n, r, linear.OutFeatures), 0);
            if (options.Routing != ElderRouting.Router)
            {
                return new MixtureLayer(layer, a, b, null, null);
            }

            int queryWidth = model.FeedForward(options.Layers[0] - 1, site).InFeatures;
            float bound = 1 / MathF.Sqrt(queryWidth);
            Tensor weight = Make($"{name}.router.weight", new Shape(n, queryWidth), bound);
            return new MixtureLayer(layer, a, b, weight, Make($"{name}.router.bias", new Shape(n), bound));
        })];
        return new Mixture(site, layers, [.. parameters]);
    }

    /// <summary>The index of a block among the edited layers, or −1.</summary>
    public int IndexOf(int layer)
    {
        for (int i = 0; i < Layers.Count; i++)
        {
            if (Layers[i].Layer == layer)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>A copy that is not trained, for readers.</summary>
    public Mixture Freeze()
    {
        Dictionary<Tensor, Tensor> copies = new(ReferenceEqualityComparer.Instance);
        Parameter[] copied = [.. parameters.Select(p => p with { Value = copies[p.Value] = p.Value.Clone() })];
        return new Mixture(Site, [.. Layers.Select(l => new MixtureLayer(
            l.Layer, copies[l.A], copies[l.B], l.RouterWeight is { } w ? copies[w] : null, l.RouterBias is { } b ? copies[b] : null))], copied);
    }

    /// <summary>The numbers of all tensors, to go back to.</summary>
    internal float[][] CopyValues() => [.. parameters.Select(p => p.Value.ReadOnlySpan.ToArray())];

    internal void RestoreValues(float[][] values)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            values[i].CopyTo(parameters[i].Value.Span);
        }
    }

    /// <summary>How far each LoRA is from where it was, |ΔA|² + |ΔB|²: N numbers for each layer.</summary>
    /// <param name="before">From <see cref="CopyValues"/>.</param>
    internal double[] SquaredMoves(float[][] before)
    {
        int n = Layers[0].A.Shape[0];
        double[] moves = new double[Layers.Count * n];
        for (int p = 0; p < parameters.Length; p++)
        {
            Tensor tensor = parameters[p].Value;
            int layer = Array.FindIndex([.. Layers], l => l.A == tensor || l.B == tensor);
            ReadOnlySpan<float> now = tensor.ReadOnlySpan, then = before[p];
            for (int j = 0, length = now.Length / n; layer >= 0 && j < n; j++)
            {
                float distance = TensorPrimitives.Distance(now.Slice(j * length, length), then.Slice(j * length, length));
                moves[(layer * n) + j] += distance * distance;
            }
        }

        return moves;
    }

    /// <summary>The name of a tensor that holds an infinity or is not a number, or null.</summary>
    internal string? FindNotFinite() =>
        parameters.FirstOrDefault(p => p.Value.ReadOnlySpan.IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) >= 0)?.Name;
}
