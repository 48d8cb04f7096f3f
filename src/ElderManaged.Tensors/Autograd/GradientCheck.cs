namespace ElderManaged.Tensors;

/// <summary>What <see cref="GradientCheck"/> found; the element is the one with the largest error.</summary>
/// <param name="Checked">How many gradient elements were compared.</param>
/// <param name="Input">The input of the worst element.</param>
/// <param name="Element">Its flat index.</param>
/// <param name="Recorded">The gradient from <see cref="Tape.Backward(Tensor)"/>.</param>
/// <param name="Difference">The gradient from differences of the value.</param>
/// <param name="RelativeError">Their distance, less what rounding explains, relative to the size of the input's gradients.</param>
public sealed record GradientReport(int Checked, int Input, int Element, double Recorded, double Difference, double RelativeError);

/// <summary>
/// Compares the gradient that an op records with differences of its value: for checking ops of your own.
/// </summary>
/// <remarks>
/// <para>
/// The value is float32, so a step too small drowns in rounding and one too large in curvature. Each slope is taken at
/// several steps by Richardson's extrapolated central difference, (4·D(h) − D(2h)) / 3 with an error of order h⁴; of these the
/// one counts that agrees best with its neighbour, a choice that does not look at the recorded gradient.
/// </para>
/// <para>Kinks (such as that of ReLU) within a step of an input, and randomness that differs from call to call, look like errors.</para>
/// </remarks>
public static class GradientCheck
{
    // Relative to max(1, |x|), rounded to a power of two; each step is a quarter of the one before.
    private const double LargestStep = 1.0 / 16;
    private const int Steps = 4;
    private const int SampledElements = 64;

    /// <summary>
    /// Checks d(Σ w·y)/d(input), with random weights w, for every input that <see cref="Tensor.RequiresGrad"/>; up to 64 elements of each,
    /// drawn at random where there are more.
    /// </summary>
    /// <param name="op">Makes y from the inputs; called many times, and must give the same result each time.</param>
    /// <param name="inputs">Values at which to check; they and their gradients are as before afterwards.</param>
    /// <param name="seed">Draws the weights and the sample.</param>
    /// <param name="tolerance">The largest relative error that passes.</param>
    /// <returns>The worst element, which passed.</returns>
    /// <exception cref="InvalidOperationException">An element differs by more; the message names it.</exception>
    public static GradientReport Run(Func<Tensor[], Tensor> op, Tensor[] inputs, ulong seed, double tolerance = 1e-3)
    {
        ArgumentNullException.ThrowIfNull(op);
        ArgumentNullException.ThrowIfNull(inputs);
        if (!inputs.Any(input => input.RequiresGrad))
        {
            throw new ArgumentException("GradientCheck: no input requires a gradient; set RequiresGrad on those to check.");
        }

        RandomSource random = new(seed);
        (float[] weights, float[][] gradients) = Record(op, inputs, random);
        GradientReport worst = new(0, 0, 0, 0, 0, -1);
        int count = 0;
        for (int i = 0; i < inputs.Length; i++)
        {
            if (!inputs[i].RequiresGrad)
            {
                continue;
            }

            double largest = gradients[i].Length == 0 ? 0 : gradients[i].Max(g => Math.Abs((double)g));
            int sample = Math.Min(inputs[i].Length, SampledElements);
            for (int c = 0; c < sample; c++)
            {
                int j = sample == inputs[i].Length ? c : random.Next(inputs[i].Length);
                (double slope, double noise) = Slope(op, inputs, weights, i, j);
                double recorded = gradients[i][j];
                double size = Math.Max(Math.Max(Math.Abs(slope), Math.Abs(recorded)), Math.Max(0.1 * largest, 1e-30));
                double error = Math.Max(0, Math.Abs(slope - recorded) - noise) / size;
                count++;
                if (!(error <= worst.RelativeError))
                {
                    worst = new GradientReport(count, i, j, recorded, slope, error);
                    if (double.IsNaN(error))
                    {
                        throw Mismatch(worst, inputs, tolerance);
                    }
                }
            }
        }

        worst = worst with { Checked = count };
        return worst.RelativeError <= tolerance ? worst : throw Mismatch(worst, inputs, tolerance);
    }

    private static InvalidOperationException Mismatch(GradientReport worst, Tensor[] inputs, double tolerance) => new(
        $"GradientCheck: input {worst.Input} {inputs[worst.Input].Shape}, element {worst.Element}: recorded gradient {worst.Recorded:G6}, "
        + $"difference {worst.Difference:G6}, relative error {worst.RelativeError:E1} above {tolerance:E1}.");

    private static (float[] Weights, float[][] Gradients) Record(Func<Tensor[], Tensor> op, Tensor[] inputs, RandomSource random)
    {
        Tensor?[] before = inputs.Select(input => input.Grad).ToArray();
        try
        {
            foreach (Tensor input in inputs)
            {
                input.Grad = null;
            }

            using Tape tape = Tape.Start();
            Tensor y = op(inputs);
            float[] weights = new float[y.Length];
            random.FillGaussian(weights, 1);
            tape.Backward(y, weights);
            return (weights, inputs.Select(input => input.Grad?.Span.ToArray() ?? new float[input.Length]).ToArray());
        }
        finally
        {
            for (int i = 0; i < inputs.Length; i++)
            {
                inputs[i].Grad = before[i];
            }
        }
    }

    private static (double Slope, double Noise) Slope(Func<Tensor[], Tensor> op, Tensor[] inputs, float[] weights, int input, int element)
    {
        float kept = inputs[input][element];
        double unit = Math.Pow(2, Math.Floor(Math.Log2(Math.Max(1, Math.Abs(kept)))));
        double best = double.NaN;
        double bestNoise = 0;
        double agreement = double.PositiveInfinity;
        double previous = double.NaN;
        double step = LargestStep * unit;
        for (int s = 0; s < Steps; s++, step /= 4)
        {
            (double near, double noise) = CentralDifference(op, inputs, weights, input, element, kept, step);
            (double far, _) = CentralDifference(op, inputs, weights, input, element, kept, 2 * step);
            double slope = ((4 * near) - far) / 3;
            double distance = Math.Abs(slope - previous) + noise;
            if (double.IsNaN(best) || distance < agreement)
            {
                (best, bestNoise) = (slope, noise);
                agreement = double.IsNaN(distance) ? agreement : distance;
            }

            previous = slope;
        }

        return (best, bestNoise);
    }

    private static (double Slope, double Noise) CentralDifference(
        Func<Tensor[], Tensor> op, Tensor[] inputs, float[] weights, int input, int element, float kept, double step)
    {
        Tensor tensor = inputs[input];
        try
        {
            using Tape tape = Tape.Start(record: false);
            float up = (float)(kept + step);
            float down = (float)(kept - step);
            tensor[element] = up;
            Tensor above = op(inputs);
            tensor[element] = down;
            Tensor below = op(inputs);

            // Differences first, element by element, so that what the input does not touch drops out exactly.
            ReadOnlySpan<float> high = above.Span;
            ReadOnlySpan<float> low = below.Span;
            double sum = 0;
            double square = 0;
            for (int i = 0; i < weights.Length; i++)
            {
                double difference = (double)high[i] - low[i];
                sum += weights[i] * difference;
                if (difference != 0)
                {
                    double rounding = weights[i] * Math.Max(Math.Abs(high[i]), Math.Abs(low[i])) * 1.2e-7;
                    square += rounding * rounding;
                }
            }

            double width = (double)up - down;
            return (sum / width, 2 * Math.Sqrt(square) / width);
        }
        finally
        {
            tensor[element] = kept;
        }
    }
}
