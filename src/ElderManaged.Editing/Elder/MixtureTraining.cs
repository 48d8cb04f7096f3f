using ElderManaged.Models;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ElderManaged.Editing.Elder;

/// <summary>The losses of one iteration, before its step.</summary>
/// <param name="Iteration">From 0.</param>
/// <param name="TargetLoss">Mean cross-entropy of the new target tokens, those of resting edits counted as 0.</param>
/// <param name="RehearsalLoss">The same for rehearsed edits; 0 if there are none.</param>
/// <param name="RouterLoss">The guided or balancing loss, before λ.</param>
/// <param name="TotalLoss">What was minimised: target + rehearsal + λ · router loss.</param>
public readonly record struct ElderIteration(int Iteration, double TargetLoss, double RehearsalLoss, double RouterLoss, double TotalLoss);

/// <summary>
/// Trains the mixture on one batch after another: blocks from the first edited one up, logits at target rows only, an
/// optimiser that starts anew for every batch (as the authors' loop has it). An iteration allocates nothing once its memory
/// has grown.
/// </summary>
internal sealed class MixtureTraining
{
    // So many earlier items are looked at in one pass: enough for products at full speed.
    private const int ItemsOfALook = 32;

    private readonly TransformerModel model;
    private readonly ElderOptions options;
    private readonly IStopRule stop;
    private readonly Adam adam;
    private readonly TrainingRows rows, looked;
    private readonly MixtureAdapter adapter;
    private readonly TrainingAttention attention;

    // For each edited layer: the LoRAs that the routers chose, k for each item, and s of all LoRAs and of the active ones.
    private readonly int[][] routed;
    private readonly Tensor[] scores, weights;
    private readonly Dictionary<(SequenceLayout, KeyValueCache?, int[]?), ForwardContext> contexts = [];

    public MixtureTraining(TransformerModel model, ElderOptions options, Mixture mixture)
    {
        (this.model, this.options, Mixture) = (model, options, mixture);
        stop = options.EarlyStopProbability is { } enough ? new LeastProbabilityReached(enough, options.EarlyStopPatience, options.Iterations) : new AllIterations();
        adam = new Adam(mixture.Parameters, new AdamOptions { LearningRate = options.LearningRate });
        (rows, looked) = (new TrainingRows(model, options), new TrainingRows(model, options));
        attention = new TrainingAttention(options);
        adapter = new MixtureAdapter(mixture, options.Scaling);
        routed = [.. mixture.Layers.Select(_ => Array.Empty<int>())];
        (scores, weights) = (new Tensor[routed.Length], new Tensor[routed.Length]);
    }

    /// <summary>What is trained.</summary>
    public Mixture Mixture { get; }

    /// <summary>Called after the gradients of an iteration are there and before its step.</summary>
    public Action<ElderIteration>? BeforeStep { get; set; }

    /// <summary>Called with s of every edited layer in each iteration.</summary>
    public Action<IReadOnlyList<Tensor>>? Scored { get; set; }

    /// <summary>Called with the logits at target rows in each iteration.</summary>
    public Action<Tensor>? Predicted { get; set; }

    /// <summary>Puts something around the adapter of every pass.</summary>
    public Func<IFeedForwardAdapter?, IFeedForwardAdapter?>? Wrap { get; set; }

    /// <summary>The allocations that the routers gave the first items in the last iteration's forward pass.</summary>
    public Allocation[] LastRouted(int items)
    {
        int k = options.ActiveCount;
        return [.. Enumerable.Range(0, items).Select(s =>
            new Allocation([.. routed.SelectMany(layer => layer[(s * k)..((s + 1) * k)])], routed.Length, options.LoraCount))];
    }

    /// <summary>Runs the iterations.</summary>
    /// <param name="fresh">The new items.</param>
    /// <param name="rehearse">Adds earlier items to a list until it has as many as an iteration wants.</param>
    /// <param name="atRisk">Gives the earlier items that are looked at before training ends; training goes on with those that are forgotten.</param>
    /// <param name="cancellationToken">Looked at between iterations.</param>
    /// <returns>Steps made, and the last target loss.</returns>
    public (int Steps, double Loss) Run(
        IReadOnlyList<TrainingItem> fresh, Action<List<TrainingItem>> rehearse, Func<List<TrainingItem>> atRisk, CancellationToken cancellationToken)
    {
        adam.Reset();
        attention.Begin(fresh);
        double loss = double.NaN;
        for (int i = 0; i < options.Iterations; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (loss, bool learned) = Iterate(i, rehearse);
            if (learned && NoneIsForgotten(atRisk()))
            {
                return (i, loss);
            }
        }

        return Mixture.FindNotFinite() is { } bad ? throw Diverged($"{bad} is no longer finite after the last step") : (options.Iterations, loss);
    }

    /// <summary>One forward pass, and if it does not show that all is learned, the backward pass and a step.</summary>
    private (double Loss, bool Learned) Iterate(int iteration, Action<List<TrainingItem>> rehearse)
    {
        using Tape tape = Tape.Start();
        adam.ZeroGrad();
        attention.Choose(iteration, rehearse);
        rows.Set(attention.Fresh, attention.Earlier);
        Tensor hidden = Forward(rows);
        Predicted?.Invoke(model.Logits(hidden));
        Tensor losses = model.Losses(hidden, rows.Targets);

        // What rests counts as learned, not as absent: the others weigh as much as beside it.
        Tensor target = MeanOf(losses, 0, rows.NewTargetCount);
        target = rows.NewTargetCount == attention.NewTargets ? target : Op.Scale(target, (float)rows.NewTargetCount / attention.NewTargets);
        Tensor total = target;
        Tensor? rehearsal = null;
        if (rows.NewTargetCount < losses.Length)
        {
            rehearsal = MeanOf(losses, rows.NewTargetCount, losses.Length - rows.NewTargetCount);
            total = Op.Add(total, rehearsal);
        }

        Tensor? router = rows.Queries is null ? null : RouterLossNow();
        total = router is null ? total : Op.Add(total, Op.Scale(router, options.Lambda));
        double loss = target.Value;
        if (!float.IsFinite(total.Value))
        {
            throw Diverged($"the loss became {total.Value} in iteration {iteration}");
        }

        ReadOnlySpan<float> ofTokens = stop is AllIterations && options.FirstStepsFactor == 1 ? [] : losses.ReadOnlySpan;
        if (stop is not AllIterations)
        {
            attention.See(iteration, ofTokens, rows.OutputOwners);
            if (stop.Reached(ofTokens, iteration) && attention.NoneRests(iteration))
            {
                return (loss, true);
            }
        }

        adam.LearningRate = ofTokens.IsEmpty ? options.LearningRate : options.LearningRateAt(TensorPrimitives.Max(ofTokens[..rows.NewTargetCount]));
        tape.Backward(total);
        BeforeStep?.Invoke(new ElderIteration(iteration, loss, rehearsal?.Value ?? 0, router?.Value ?? 0, total.Value));
        adam.Step();
        return (loss, false);
    }

    /// <summary>Looks at earlier items; those that are forgotten are rehearsed from now on.</summary>
    private bool NoneIsForgotten(List<TrainingItem> items)
    {
        bool none = true;
        for (int first = 0; first < items.Count; first += ItemsOfALook)
        {
            using Tape tape = Tape.Start(record: false);
            looked.Set([], items.GetRange(first, Math.Min(ItemsOfALook, items.Count - first)));
            none &= attention.NoneIsForgotten(looked.Items, model.Losses(Forward(looked), looked.Targets).ReadOnlySpan, looked.OutputOwners);
        }

        return none;
    }

    /// <summary>The residual stream after the last block, at target rows.</summary>
    private Tensor Forward(TrainingRows on)
    {
        Weigh(on);
        ForwardContext pass = Context(on);
        int first = options.Layers[0];
        Tensor hidden = model.FromSite(first, on.FirstBlock, pass);
        return model.Blocks(hidden, pass, first + 1, model.LayerCount);
    }

    /// <summary>Which LoRAs act on each item, with which weights.</summary>
    private void Weigh(TrainingRows on)
    {
        int k = options.ActiveCount;
        if (on.Queries is { } queries)
        {
            Router.Scores(Mixture, queries, scores);
            Scored?.Invoke(scores);
            Router.TopK(scores, k, routed);
        }
        else
        {
            Array.Fill(weights, Tape.NewTensor(new Shape(on.Count, k)));
            weights[0].Span.Fill(options.UniformWeight);
        }

        for (int l = 0; l < weights.Length; l++)
        {
            bool byRouter = on.Queries is not null && options.Mode == GuidedMode.Soft;
            ReadOnlySpan<int> chosen = byRouter ? routed[l].AsSpan(0, on.Count * k) : on.Allocated(l);
            weights[l] = on.Queries is null ? weights[l] : Op.PickColumns(scores[l], chosen);
            bool atTheEnd = options.Layers[l] == model.LayerCount - 1;
            adapter.Set(l, chosen, weights[l], atTheEnd ? on.OutputOwners : on.Layout.Owners);
        }
    }

    // One for each number of items and of output rows: the layout is the same object, filled anew.
    private ForwardContext Context(TrainingRows on)
    {
        if (Wrap is not null)
        {
            return NewContext(on, Wrap(adapter));
        }

        if (!contexts.TryGetValue((on.Layout, on.Past, on.OutputRows), out ForwardContext? context))
        {
            contexts[(on.Layout, on.Past, on.OutputRows)] = context = NewContext(on, adapter);
        }

        return context;
    }

    private static ForwardContext NewContext(TrainingRows on, IFeedForwardAdapter? around) =>
        new(on.Layout) { Cache = on.Past, OutputRows = on.OutputRows, Adapter = around };

    private static Tensor MeanOf(Tensor losses, int first, int count) =>
        Op.Mean(count == losses.Length ? losses : Op.SliceRows(Op.Reshape(losses, new Shape(losses.Length, 1)), first, count));

    private Tensor? RouterLossNow() => options.RouterLoss switch
    {
        RouterLoss.Guided => GuidedLoss(),
        RouterLoss.Balancing => RouterLosses.Balancing(scores),
        _ => null,
    };

    private Tensor GuidedLoss()
    {
        Tensor? sum = null;
        for (int l = 0; l < scores.Length; l++)
        {
            sum = RouterLosses.AddGuided(sum, scores[l], rows.Allocated(l));
        }

        return Op.Scale(sum!, -1f / rows.Count);
    }

    private EditException Diverged(string what) =>
        new($"ELDER: {what} at a learning rate of {options.LearningRate}; nothing of this batch was kept. Lower the learning rate.");
}
