using System.Runtime.CompilerServices;
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
/// <para>
/// A parameter that got no gradient in a step is stepped with gradient zero, so its momentum still moves it. Not
/// thread-safe.
/// </para>
/// <para>
/// A moment m below 2⁻¹⁰⁰ and a moment v below 2⁻¹¹⁰ become zero, and gradients so small count as zero, for m and v likewise
/// (8·10⁻³¹, and 10⁻¹⁷ in v). Such moments would go on shrinking to subnormal numbers and stay there, where processors are a hundred times
/// slower; beside an ε of 1e-8 they move nothing. A gradient below 2⁻¹¹⁹ counts as zero before it is scaled, for the same reason.
/// </para>
/// </remarks>
public sealed class Adam
{
    // Elements that one thread steps at a time: 64 KiB of each of the four arrays, be it a piece of a large parameter or many small ones.
    private const int PartLength = 16 * 1024;

    // See the remarks: what is smaller counts as zero.
    private const float LeastFirst = 7.8886090522e-31f;   // 2⁻¹⁰⁰
    private const float LeastSecond = 7.7037197775e-34f;  // 2⁻¹¹⁰
    private const float LeastSquared = 1.3877787807e-17f; // 2⁻⁵⁶: the square, times 1 − β₂, is still a normal number

    private readonly Parameter[] parameters;
    private readonly Tensor[] first, second;
    private readonly bool[] onDevice; // stepped there: its pieces are nobody's here
    private Tensor? squares;
    private readonly Piece[] pieces;
    private readonly int[] partStarts; // the pieces of part i end where those of part i + 1 start

    /// <summary>An optimiser with zero moments for these parameters.</summary>
    public Adam(IEnumerable<Parameter> parameters, AdamOptions options)
    {
        this.parameters = [.. parameters];
        Options = options;
        LearningRate = options.LearningRate;
        first = [.. this.parameters.Select(p => new Tensor(new Shape(p.Value.Length)))];
        second = [.. this.parameters.Select(p => new Tensor(new Shape(p.Value.Length)))];
        onDevice = new bool[this.parameters.Length];
        (pieces, partStarts) = Divide(this.parameters);
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
        foreach (Tensor moments in first.Concat(second))
        {
            moments.Clear();
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
        Work work = new(this, rate, 1 / correction2, gradientScale);
        for (int i = 0; i < parameters.Length; i++)
        {
            Tensor value = parameters[i].Value;
            Tensor gradient = value.GradSink(); // made here, before threads look for it
            onDevice[i] = false;
            if (GpuFeature.IsSupported && (value.Gpu ?? gradient.Gpu) is { } gpu)
            {
                AdamStepGpu.Step(gpu, value, first[i], second[i], NumbersFor(work, parameters[i]));
                onDevice[i] = true;
            }
        }

        CpuThreads.Run(partStarts.Length - 1, work, static (w, part) =>
        {
            for (int i = w.Adam.partStarts[part]; i < w.Adam.partStarts[part + 1]; i++)
            {
                if (!w.Adam.onDevice[w.Adam.pieces[i].Parameter])
                {
                    StepPiece(w, w.Adam.pieces[i]);
                }
            }
        });
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
        bool there = false;
        for (int i = 0; i < parameters.Length; i++)
        {
            if (parameters[i].Value.Grad is not { } gradient)
            {
                continue;
            }

            if (GpuFeature.IsSupported && gradient.Gpu is { } gpu)
            {
                squares ??= new Tensor(new Shape(parameters.Length));
                if (!there)
                {
                    squares.Clear();
                    there = true;
                }

                AdamStepGpu.SumOfSquares(gpu, gradient, squares, i);
            }
            else
            {
                sum += SumOfSquares(gradient.ReadOnlySpan);
            }
        }

        if (there)
        {
            // A number for each parameter comes back, all in one go.
            foreach (float square in squares!.ReadOnlySpan)
            {
                sum += square;
            }
        }

        return Math.Sqrt(sum);
    }

    /// <summary>The moments by parameter name, to save with a training checkpoint. They lie where the parameter was last stepped.</summary>
    public IEnumerable<(string Name, Tensor First, Tensor Second)> Moments =>
        parameters.Select((p, i) => (p.Name, first[i], second[i]));

    /// <summary>Continues from saved moments: fill the tensors of <see cref="Moments"/>, then set the step count.</summary>
    public void ResumeAt(int steps) => Steps = steps;

    private static (Piece[] Pieces, int[] PartStarts) Divide(Parameter[] parameters)
    {
        List<Piece> pieces = [];
        List<int> starts = [0];
        int room = PartLength;
        for (int i = 0; i < parameters.Length; i++)
        {
            int length = parameters[i].Value.Length;
            for (int start = 0; start < length;)
            {
                int count = Math.Min(room, length - start);
                pieces.Add(new Piece(i, start, count));
                start += count;
                room -= count;
                if (room == 0)
                {
                    starts.Add(pieces.Count);
                    room = PartLength;
                }
            }
        }

        if (starts[^1] != pieces.Count)
        {
            starts.Add(pieces.Count);
        }

        return ([.. pieces], [.. starts]);
    }

    private static AdamNumbers NumbersFor(in Work w, Parameter parameter)
    {
        AdamOptions options = w.Adam.Options;
        return new AdamNumbers
        {
            Scale = w.Scale,
            Beta1 = options.Beta1,
            One1 = 1 - options.Beta1,
            Beta2 = options.Beta2,
            One2 = 1 - options.Beta2,
            Keep = 1 - (parameter.Decays ? w.Adam.LearningRate * options.WeightDecay : 0),
            Rate = w.Rate,
            Inverse2 = w.Inverse2,
            Epsilon = options.Epsilon,
            LeastFirst = LeastFirst,
            LeastSecond = LeastSecond,
            LeastSquared = LeastSquared,
        };
    }

    // Every element is stepped by itself, with the same arithmetic in a register and alone: pieces do not change bits.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void StepPiece(in Work w, Piece piece)
    {
        Adam adam = w.Adam;
        Parameter parameter = adam.parameters[piece.Parameter];
        AdamOptions options = adam.Options;
        float decay = parameter.Decays ? adam.LearningRate * options.WeightDecay : 0;
        Constants c = new(w.Scale, options.Beta1, 1 - options.Beta1, options.Beta2, 1 - options.Beta2, 1 - decay, w.Rate, w.Inverse2, options.Epsilon);
        int n = piece.Length;
        fixed (float* p = parameter.Value.Span.Slice(piece.Start, n))
        fixed (float* g = parameter.Value.Grad!.Span.Slice(piece.Start, n))
        fixed (float* m = adam.first[piece.Parameter].Span.Slice(piece.Start, n))
        fixed (float* v = adam.second[piece.Parameter].Span.Slice(piece.Start, n))
        {
            int i = 0;
            for (; i <= n - 16; i += 16)
            {
                Vector512<float> gradient = Lanes512.WithoutSmallest(Vector512.Load(g + i)) * c.Scale;
                Vector512<float> size = Vector512.Abs(gradient);
                Vector512<float> forFirst = Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(LeastFirst)), default, gradient);
                Vector512<float> forSecond = Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(LeastSquared)), default, gradient);
                Vector512<float> mean = (Vector512.Load(m + i) * c.Beta1) + (forFirst * c.One1);
                Vector512<float> square = (Vector512.Load(v + i) * c.Beta2) + (forSecond * forSecond * c.One2);
                mean = Vector512.ConditionalSelect(Vector512.LessThan(Vector512.Abs(mean), Vector512.Create(LeastFirst)), default, mean);
                square = Vector512.ConditionalSelect(Vector512.LessThan(square, Vector512.Create(LeastSecond)), default, square);
                mean.Store(m + i);
                square.Store(v + i);
                ((Vector512.Load(p + i) * c.Keep) - (c.Rate * mean / ((Vector512.Sqrt(square) * c.Inverse2) + Vector512.Create(c.Epsilon)))).Store(p + i);
            }

            for (; i < n; i++)
            {
                float gradient = Lanes1.WithoutSmallest(g[i]) * c.Scale;
                float size = MathF.Abs(gradient);
                float forFirst = size < LeastFirst ? 0 : gradient;
                float forSecond = size < LeastSquared ? 0 : gradient;
                float mean = (m[i] * c.Beta1) + (forFirst * c.One1);
                float square = (v[i] * c.Beta2) + (forSecond * forSecond * c.One2);
                m[i] = MathF.Abs(mean) < LeastFirst ? 0 : mean;
                v[i] = square < LeastSecond ? 0 : square;
                p[i] = (p[i] * c.Keep) - (c.Rate * m[i] / ((MathF.Sqrt(v[i]) * c.Inverse2) + c.Epsilon));
            }
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

    private readonly record struct Work(Adam Adam, float Rate, float Inverse2, float Scale);

    private readonly record struct Piece(int Parameter, int Start, int Length);

    private readonly record struct Constants(
        float Scale, float Beta1, float One1, float Beta2, float One2, float Keep, float Rate, float Inverse2, float Epsilon);
}
