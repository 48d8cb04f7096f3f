using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Decides when a batch has been learned: a step more would only move what earlier batches rely on. Asked after every
/// forward pass and before its step.
/// </summary>
public interface IStopRule
{
    /// <summary>Whether training may end.</summary>
    /// <param name="logits">At the target rows [targets, vocabulary]; those of the new items come first.</param>
    /// <param name="targets">The right token of each row.</param>
    /// <param name="newTargets">How many rows belong to new items; the others are rehearsed.</param>
    bool Reached(Tensor logits, int[] targets, int newTargets);
}

/// <summary>The paper's rule: a fixed number of iterations, whatever they reach.</summary>
public sealed class AllIterations : IStopRule
{
    /// <inheritdoc/>
    public bool Reached(Tensor logits, int[] targets, int newTargets) => false;
}

/// <summary>The default preset's rule: every new target token is at least so probable.</summary>
/// <param name="probability">In (0, 1].</param>
public sealed class LeastProbabilityReached(float probability) : IStopRule
{
    /// <inheritdoc/>
    public bool Reached(Tensor logits, int[] targets, int newTargets)
    {
        ArgumentNullException.ThrowIfNull(targets);
        Span<float> losses = Tape.NewTensor(new Shape(targets.Length)).Span;
        Op.TokenLosses(logits, targets, losses, []);
        float worst = 0;
        foreach (float loss in losses[..newTargets])
        {
            worst = Math.Max(worst, loss);
        }

        return Math.Exp(-worst) >= probability;
    }
}
