namespace ElderManaged.Editing.Elder;

/// <summary>
/// Decides when a batch has been learned: a step more would only move what earlier batches rely on. Asked after every
/// forward pass and before its step.
/// </summary>
public interface IStopRule
{
    /// <summary>Whether training may end.</summary>
    /// <param name="losses">−ln of the probability of each target token of the pass, rehearsed ones too.</param>
    /// <param name="iteration">How many steps were made.</param>
    bool Reached(ReadOnlySpan<float> losses, int iteration);
}

/// <summary>The paper's rule: a fixed number of iterations, whatever they reach.</summary>
public sealed class AllIterations : IStopRule
{
    /// <inheritdoc/>
    public bool Reached(ReadOnlySpan<float> losses, int iteration) => false;
}

/// <summary>
/// The default preset's rule: every target token is at least so probable. Rehearsed ones count: what the batch has
/// damaged is repaired before it ends, as far as it is drawn. Behind <paramref name="patience"/> steps less
/// and less is asked for, down to what makes a token the most likely one for certain: single tokens that hardly move would
/// otherwise keep a batch going that is learned, at the cost of earlier ones.
/// </summary>
/// <param name="probability">In (0, 1].</param>
/// <param name="patience">The steps that ask for all of it.</param>
/// <param name="iterations">The steps after which no more than a half is asked for.</param>
public sealed class LeastProbabilityReached(float probability, int patience = int.MaxValue, int iterations = int.MaxValue) : IStopRule
{
    /// <summary>A token of a larger probability is the most likely one, whatever the others are.</summary>
    private const double Majority = 0.5;

    /// <inheritdoc/>
    public bool Reached(ReadOnlySpan<float> losses, int iteration)
    {
        float worst = 0;
        foreach (float loss in losses)
        {
            worst = Math.Max(worst, loss);
        }

        return Math.Exp(-worst) >= Wanted(iteration);
    }

    private double Wanted(int iteration)
    {
        double impatience = iteration <= patience ? 0 : Math.Min(1, (iteration - patience) / Math.Max(1.0, iterations - patience));
        return probability - (impatience * Math.Max(0, probability - Majority));
    }
}
