using ElderManaged.Models;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>The losses of one iteration, before its step.</summary>
/// <param name="Iteration">From 0.</param>
/// <param name="TargetLoss">Mean cross-entropy of the new target tokens.</param>
/// <param name="RehearsalLoss">The same for rehearsed edits; 0 if there are none.</param>
/// <param name="RouterLoss">The guided or balancing loss, before λ.</param>
/// <param name="TotalLoss">What was minimised: target + rehearsal + λ · router loss.</param>
public readonly record struct ElderIteration(int Iteration, double TargetLoss, double RehearsalLoss, double RouterLoss, double TotalLoss);

/// <summary>
/// Trains the mixture on one batch: blocks from the first edited one up, logits at target rows only, an optimiser that is
/// new for every batch (as the authors' loop has it).
/// </summary>
internal sealed class MixtureTraining(TransformerModel model, ElderOptions options, Mixture mixture)
{
    private readonly IStopRule stop = options.EarlyStopProbability is { } enough ? new LeastProbabilityReached(enough) : new AllIterations();

    /// <summary>Called after the gradients of an iteration are there and before its step.</summary>
    public Action<ElderIteration>? BeforeStep { get; init; }

    /// <summary>Called with s of every edited layer in each iteration.</summary>
    public Action<IReadOnlyList<Tensor>>? Scored { get; init; }

    /// <summary>Called with the logits at target rows in each iteration.</summary>
    public Action<Tensor>? Predicted { get; init; }

    /// <summary>Puts something around the adapter of every pass.</summary>
    public Func<IFeedForwardAdapter?, IFeedForwardAdapter?>? Wrap { get; init; }

    /// <summary>The allocations that the routers gave the new items in the last iteration's forward pass.</summary>
    public Allocation[] LastRouted { get; private set; } = [];

    /// <summary>Runs the iterations.</summary>
    /// <param name="fresh">The new items.</param>
    /// <param name="rehearse">Draws the earlier items of an iteration.</param>
    /// <param name="cancellationToken">Looked at between iterations.</param>
    /// <returns>Steps made, and the last target loss.</returns>
    public (int Steps, double Loss) Run(
        IReadOnlyList<TrainingItem> fresh, Func<IReadOnlyList<TrainingItem>> rehearse, CancellationToken cancellationToken)
    {
        Adam adam = new(mixture.Parameters, new AdamOptions { LearningRate = options.LearningRate });
        double loss = double.NaN;
        for (int i = 0; i < options.Iterations; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using Tape tape = Tape.Start();
            adam.ZeroGrad();
            TrainingRows rows = new(model, [.. fresh, .. rehearse()], fresh.Count);
            Tensor logits = Forward(rows, out Tensor[]? scores);
            Predicted?.Invoke(logits);

            Tensor target = TargetLoss(logits, rows, 0, rows.NewTargets);
            Tensor total = target;
            Tensor? rehearsal = null;
            if (rows.NewTargets < rows.Targets.Length)
            {
                rehearsal = TargetLoss(logits, rows, rows.NewTargets, rows.Targets.Length - rows.NewTargets);
                total = Op.Add(total, rehearsal);
            }

            Tensor? router = scores is null ? null : RouterLossOf(scores, rows);
            total = router is null ? total : Op.Add(total, Op.Scale(router, options.Lambda));
            loss = target.Value;
            if (!float.IsFinite(total.Value))
            {
                throw Diverged($"the loss became {total.Value} in iteration {i}");
            }

            if (stop.Reached(logits, rows.Targets, rows.NewTargets))
            {
                return (i, loss);
            }

            tape.Backward(total);
            BeforeStep?.Invoke(new ElderIteration(i, loss, rehearsal?.Value ?? 0, router?.Value ?? 0, total.Value));
            adam.Step();
        }

        return mixture.FindNotFinite() is { } bad ? throw Diverged($"{bad} is no longer finite after the last step") : (options.Iterations, loss);
    }

    private Tensor Forward(TrainingRows rows, out Tensor[]? scores)
    {
        scores = null;
        IReadOnlyList<Allocation> chosen = rows.Allocations;
        Tensor[] weights;
        if (rows.Queries is { } queries)
        {
            scores = Router.Scores(mixture, queries);
            Scored?.Invoke(scores);
            Allocation[] routed = Router.TopK(scores, options.ActiveCount);
            LastRouted = routed;
            chosen = options.Mode == GuidedMode.Soft ? routed : chosen;
            weights = Router.Weights(scores, chosen);
        }
        else
        {
            Tensor uniform = Tape.NewTensor(new Shape(chosen.Count, options.ActiveCount));
            uniform.Span.Fill(options.UniformWeight);
            weights = [.. mixture.Layers.Select(_ => uniform)];
        }

        MixtureAdapter adapter = new(
            mixture, rows.Layout.OwnerArray, [.. mixture.Layers.Select((_, l) => Router.LorasOf(chosen, l))], weights, options.Scaling);
        ForwardContext context = new(rows.Layout) { Cache = rows.Past, Adapter = Wrap is null ? adapter : Wrap(adapter) };
        Tensor last = model.Blocks(rows.Entering, context, options.Layers[0], model.LayerCount);
        return model.Logits(Op.GatherRows(last, rows.TargetRows));
    }

    private static Tensor TargetLoss(Tensor logits, TrainingRows rows, int start, int count) =>
        count == rows.Targets.Length
            ? Op.CrossEntropy(logits, rows.Targets)
            : Op.CrossEntropy(Op.SliceRows(logits, start, count), rows.Targets[start..(start + count)]);

    private Tensor? RouterLossOf(Tensor[] scores, TrainingRows rows) => options.RouterLoss switch
    {
        RouterLoss.Guided => RouterLosses.Guided(scores, rows.Allocations),
        RouterLoss.Balancing => RouterLosses.Balancing(scores),
        _ => null,
    };

    private EditException Diverged(string what) =>
        new($"ELDER: {what} at a learning rate of {options.LearningRate}; nothing of this batch was kept. Lower the learning rate.");
}
