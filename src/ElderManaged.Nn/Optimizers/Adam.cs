using System.Numerics;
using System.Runtime.InteropServices;
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
            StepParameter(p.Span, p.GradSink().Span, first[i], second[i], rate, correction2, decay, gradientScale);
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
                sum += System.Numerics.Tensors.TensorPrimitives.SumOfSquares<float>(gradient.Span);
            }
        }

        return Math.Sqrt(sum);
    }

    /// <summary>The moments by parameter name, to save with a training checkpoint.</summary>
    public IEnumerable<(string Name, float[] First, float[] Second)> Moments =>
        parameters.Select((p, i) => (p.Name, first[i], second[i]));

    /// <summary>Continues from saved moments: fill the arrays of <see cref="Moments"/>, then set the step count.</summary>
    public void ResumeAt(int steps) => Steps = steps;

    private void StepParameter(
        Span<float> p, Span<float> g, float[] m, float[] v, float rate, float correction2, float decay, float scale)
    {
        float beta1 = Options.Beta1, beta2 = Options.Beta2, epsilon = Options.Epsilon;
        int width = Vector<float>.Count;
        Span<Vector<float>> vp = MemoryMarshal.Cast<float, Vector<float>>(p);
        Span<Vector<float>> vg = MemoryMarshal.Cast<float, Vector<float>>(g);
        Span<Vector<float>> vm = MemoryMarshal.Cast<float, Vector<float>>(m.AsSpan());
        Span<Vector<float>> vv = MemoryMarshal.Cast<float, Vector<float>>(v.AsSpan());
        Vector<float> one1 = new(1 - beta1), one2 = new(1 - beta2), keep = new(1 - decay), eps = new(epsilon);
        Vector<float> inverse2 = new(1 / correction2);
        for (int i = 0; i < vp.Length; i++)
        {
            Vector<float> gradient = vg[i] * scale;
            Vector<float> mean = (vm[i] * beta1) + (gradient * one1);
            Vector<float> square = (vv[i] * beta2) + (gradient * gradient * one2);
            vm[i] = mean;
            vv[i] = square;
            vp[i] = (vp[i] * keep) - (rate * mean / ((Vector.SquareRoot(square) * inverse2) + eps));
        }

        for (int i = vp.Length * width; i < p.Length; i++)
        {
            float gradient = g[i] * scale;
            m[i] = (m[i] * beta1) + (gradient * (1 - beta1));
            v[i] = (v[i] * beta2) + (gradient * gradient * (1 - beta2));
            p[i] = (p[i] * (1 - decay)) - (rate * m[i] / ((MathF.Sqrt(v[i]) * (1 / correction2)) + epsilon));
        }
    }
}
