namespace ElderManaged.Nn;

/// <summary>How the step size changes over a run: factors to multiply the base rate with.</summary>
public static class Schedules
{
    /// <summary>
    /// Linear warm-up over the first steps, then half a cosine down to <paramref name="floor"/>
    /// (Loshchilov and Hutter 2017).
    /// </summary>
    /// <param name="step">The step about to be made, from 0.</param>
    /// <param name="steps">The number of steps of the whole run.</param>
    /// <param name="warmup">The number of warm-up steps.</param>
    /// <param name="floor">The factor at the end.</param>
    public static float WarmupCosine(int step, int steps, int warmup, float floor)
    {
        if (step < warmup)
        {
            return (step + 1f) / warmup;
        }

        double progress = Math.Min(1, (step - warmup) / Math.Max(1.0, steps - warmup));
        return (float)(floor + ((1 - floor) * 0.5 * (1 + Math.Cos(Math.PI * progress))));
    }

    /// <summary>The factor <paramref name="gamma"/> every <paramref name="period"/> steps (MELO: 20 steps, 0.5).</summary>
    public static float StepDecay(int step, int period, float gamma) => MathF.Pow(gamma, step / period);
}
