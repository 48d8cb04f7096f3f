using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using ElderManaged.Tensors;

namespace ElderManaged.Nn;

/// <summary>The constants of <see cref="Adam"/>.</summary>
public sealed record AdamOptions
{
    /// <summary>The step size (learning rate).</summary>
    public float LearningRate { get; init; } = 1e-3f;

    /// <summary>β₁, the decay of the mean of gradients.</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>β₂, the decay of the mean of squared gradients.</summary>
    public float Beta2 { get; init; } = 0.999f;

    /// <summary>ε, added to the root of the bias-corrected second moment.</summary>
    public float Epsilon { get; init; } = 1e-8f;

    /// <summary>Decoupled weight decay (AdamW, Loshchilov and Hutter 2019); 0 is plain Adam.</summary>
    public float WeightDecay { get; init; }
}

/// <summary>
/// Adam (Kingma and Ba 2015, algorithm 1), with decoupled weight decay on request:
/// m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← p − lr·( m/(1−β₁ᵗ) / (√v/√(1−β₂ᵗ) + ε) + decay·p ).
/// </summary>
/// <remarks>
/// A parameter that got no gradient in a step is stepped with gradient zero, so its momentum still moves it. Not
/// thread-safe.
/// </remarks>
public sealed class Adam
{
    // Elements that one thread steps at a time: 64 KiB of each of the four arrays.
    private const int PartLength = 16 * 1024;

    private readonly Parameter[] parameters;
    private readonly float[][] first, second;

    /// <summary>An optimiser with zero moments for these parameters.</summary>
    public Adam(IEnumerable<Parameter> parameters, AdamOptions options)
    {
        this.parameters = [.. parameters];
        Options = options;
        LearningRate = options.LearningRate;
        first = [.. this.parameters.Select(p => new float[p.Value.Length])];
        second = [.. this.parameters.Select(p => new float[p.Value.Length])];
    }

    /// <summary>The constants.</summary>
    public AdamOptions Options { get; }

    /// <summary>The current step size, which a schedule may change.</summary>
    public float LearningRate { get; set; }

    /// <summary>How many steps were made.</summary>
    public int Steps { get; private set; }

    /// <summary>Forgets moments and step count, as a new optimiser would have them.</summary>
    public void Reset()
    {
        Steps = 0;
        foreach (float[] moments in first.Concat(second))
        {
            Array.Clear(moments);
        }
    }

    /// <summary>Moves every parameter by one step and keeps the gradients (see <see cref="ZeroGrad"/>).</summary>
    /// <param name="gradientScale">Multiplies every gradient, for clipping or averaging.</param>
    public void Step(float gradientScale = 1f)
    {
        Steps++;
        float correction1 = 1 - MathF.Pow(Options.Beta1, Steps);
        float correction2 = MathF.Sqrt(1 - MathF.Pow(Options.Beta2, Steps));
        float rate = LearningRate / correction1;
        for (int i = 0; i < parameters.Length; i++)
        {
            float decay = parameters[i].Decays ? LearningRate * Options.WeightDecay : 0;
            Tensor p = parameters[i].Value;
            Work work = new(p, p.GradSink(), first[i], second[i], Options, rate, 1 / correction2, decay, gradientScale);
            CpuThreads.Run((p.Length + PartLength - 1) / PartLength, work, static (w, part) => StepPart(w, part * PartLength));
        }
    }

    /// <summary>Sets all gradients to zero.</summary>
    public void ZeroGrad()
    {
        foreach (Parameter parameter in parameters)
        {
            parameter.Value.ZeroGrad();
        }
    }

    /// <summary>The root of the sum of squares of all gradients, for clipping.</summary>
    public double GradientNorm()
    {
        double sum = 0;
        foreach (Parameter parameter in parameters)
        {
            if (parameter.Value.Grad is { } gradient)
            {
                sum += SumOfSquares(gradient.Span);
            }
        }

        return Math.Sqrt(sum);
    }

    /// <summary>The moments by parameter name, to save with a training checkpoint.</summary>
    public IEnumerable<(string Name, float[] First, float[] Second)> Moments =>
        parameters.Select((p, i) => (p.Name, first[i], second[i]));

    /// <summary>Continues from saved moments: fill the arrays of <see cref="Moments"/>, then set the step count.</summary>
    public void ResumeAt(int steps) => Steps = steps;

    // Every element is stepped by itself, with the same arithmetic in a register and alone: parts do not change bits.
    private static void StepPart(in Work w, int start)
    {
        int length = Math.Min(PartLength, w.P.Length - start);
        Span<float> p = w.P.Span.Slice(start, length);
        Span<float> g = w.G.Span.Slice(start, length);
        Span<float> m = w.M.AsSpan(start, length);
        Span<float> v = w.V.AsSpan(start, length);
        float beta1 = w.Options.Beta1, beta2 = w.Options.Beta2, epsilon = w.Options.Epsilon;
        Span<Vector<float>> vp = MemoryMarshal.Cast<float, Vector<float>>(p);
        Span<Vector<float>> vg = MemoryMarshal.Cast<float, Vector<float>>(g);
        Span<Vector<float>> vm = MemoryMarshal.Cast<float, Vector<float>>(m);
        Span<Vector<float>> vv = MemoryMarshal.Cast<float, Vector<float>>(v);
        Vector<float> one1 = new(1 - beta1), one2 = new(1 - beta2), keep = new(1 - w.Decay), eps = new(epsilon);
        Vector<float> inverse2 = new(w.Inverse2);
        for (int i = 0; i < vp.Length; i++)
        {
            Vector<float> gradient = vg[i] * w.Scale;
            Vector<float> mean = (vm[i] * beta1) + (gradient * one1);
            Vector<float> square = (vv[i] * beta2) + (gradient * gradient * one2);
            vm[i] = mean;
            vv[i] = square;
            vp[i] = (vp[i] * keep) - (w.Rate * mean / ((Vector.SquareRoot(square) * inverse2) + eps));
        }

        for (int i = vp.Length * Vector<float>.Count; i < length; i++)
        {
            float gradient = g[i] * w.Scale;
            m[i] = (m[i] * beta1) + (gradient * (1 - beta1));
            v[i] = (v[i] * beta2) + (gradient * gradient * (1 - beta2));
            p[i] = (p[i] * (1 - w.Decay)) - (w.Rate * m[i] / ((MathF.Sqrt(v[i]) * w.Inverse2) + epsilon));
        }
    }

    // In eight running double sums, folded in one order: no bits depend on the machine's width, and nothing small is lost.
    private static double SumOfSquares(ReadOnlySpan<float> values)
    {
        Vector512<double> sums = default;
        int i = 0;
        for (; i <= values.Length - 8; i += 8)
        {
            (Vector256<double> low, Vector256<double> high) = Vector256.Widen(Vector256.Create(values[i..]));
            Vector512<double> wide = Vector512.Create(low, high);
            sums += wide * wide; // exact: the square of a float has at most 48 digits
        }

        double sum = 0;
        for (int lane = 0; lane < 8; lane++)
        {
            sum += sums[lane];
        }

        for (; i < values.Length; i++)
        {
            sum += (double)values[i] * values[i];
        }

        return sum;
    }

    private readonly record struct Work(
        Tensor P, Tensor G, float[] M, float[] V, AdamOptions Options, float Rate, float Inverse2, float Decay, float Scale);
}
