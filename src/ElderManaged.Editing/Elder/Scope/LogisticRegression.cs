namespace ElderManaged.Editing.Elder;

/// <summary>
/// p(in scope | x) = σ(b + w·x): small, explainable, and its output is a probability. Fitted by Newton's method
/// (iteratively reweighted least squares) with an L2 penalty on w, which also keeps separable data finite.
/// </summary>
public sealed class LogisticRegression
{
    private const int MostSteps = 100;
    private readonly double[] weights;

    /// <summary>A regression with known coefficients.</summary>
    /// <param name="intercept">b.</param>
    /// <param name="weights">w.</param>
    public LogisticRegression(double intercept, ReadOnlySpan<double> weights)
    {
        Intercept = intercept;
        this.weights = weights.ToArray();
    }

    /// <summary>b.</summary>
    public double Intercept { get; }

    /// <summary>w.</summary>
    public ReadOnlySpan<double> Weights => weights;

    /// <summary>b + w·x, the logarithm of the odds.</summary>
    public double Logit(ReadOnlySpan<double> features)
    {
        if (features.Length != weights.Length)
        {
            throw new ArgumentException($"LogisticRegression: {features.Length} features for {weights.Length} weights.");
        }

        double sum = Intercept;
        for (int i = 0; i < weights.Length; i++)
        {
            sum += weights[i] * features[i];
        }

        return sum;
    }

    /// <summary>σ(t) = 1 / (1 + e^−t).</summary>
    public static double Sigmoid(double t) => t >= 0 ? 1 / (1 + Math.Exp(-t)) : Math.Exp(t) / (1 + Math.Exp(t));

    /// <summary>
    /// Minimises Σ c_i · loss_i / Σ c_i + ridge/2 · |w|², the two classes weighing the same (c_i = 1 / size of the class).
    /// </summary>
    /// <param name="features">x of each example, equally many numbers each.</param>
    /// <param name="labels">y of each example.</param>
    /// <param name="ridge">At least a little, so that a best solution exists.</param>
    /// <exception cref="ArgumentException">An empty class, unequal lengths, or no penalty.</exception>
    public static LogisticRegression Fit(IReadOnlyList<double[]> features, IReadOnlyList<bool> labels, double ridge)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(labels);
        int positives = labels.Count(y => y), negatives = labels.Count - positives;
        if (features.Count != labels.Count || positives == 0 || negatives == 0)
        {
            throw new ArgumentException($"LogisticRegression: {features.Count} examples with {positives} positive and {negatives} negative labels; both classes are needed.");
        }

        if (!(ridge > 0))
        {
            throw new ArgumentException($"LogisticRegression: the ridge penalty must be positive, got {ridge}; separable data has no finite solution without.");
        }

        int n = features[0].Length + 1; // the intercept comes first
        double positiveWeight = 0.5 / positives, negativeWeight = 0.5 / negatives;
        double[] theta = new double[n];
        double loss = Evaluate(theta, null, null);
        double[] gradient = new double[n], hessian = new double[n * n], trial = new double[n];
        for (int step = 0; step < MostSteps; step++)
        {
            Evaluate(theta, gradient, hessian);
            double[] direction = Solve(hessian, gradient, n);
            double decrease = 0;
            for (int i = 0; i < n; i++)
            {
                decrease += direction[i] * gradient[i];
            }

            if (decrease < 1e-14)
            {
                break;
            }

            // A full Newton step may overshoot far from the optimum; halve it until the loss falls.
            double length = 1, next;
            do
            {
                for (int i = 0; i < n; i++)
                {
                    trial[i] = theta[i] - (length * direction[i]);
                }

                next = Evaluate(trial, null, null);
                length /= 2;
            }
            while (next > loss && length > 1e-10);

            if (next >= loss)
            {
                break;
            }

            trial.CopyTo(theta, 0);
            loss = next;
        }

        return new LogisticRegression(theta[0], theta.AsSpan(1));

        double Evaluate(double[] at, double[]? g, double[]? h)
        {
            g?.AsSpan().Clear();
            h?.AsSpan().Clear();
            double sum = 0;
            for (int k = 0; k < features.Count; k++)
            {
                double[] x = features[k];
                if (x.Length != n - 1)
                {
                    throw new ArgumentException($"LogisticRegression: example {k} has {x.Length} features, the first has {n - 1}.");
                }

                double t = at[0];
                for (int i = 1; i < n; i++)
                {
                    t += at[i] * x[i - 1];
                }

                double c = labels[k] ? positiveWeight : negativeWeight;
                double signed = labels[k] ? -t : t;
                sum += c * (signed > 0 ? signed + Math.Log(1 + Math.Exp(-signed)) : Math.Log(1 + Math.Exp(signed)));
                if (g is null || h is null)
                {
                    continue;
                }

                double p = Sigmoid(t), residual = c * (p - (labels[k] ? 1 : 0)), curvature = c * p * (1 - p);
                for (int i = 0; i < n; i++)
                {
                    double xi = i == 0 ? 1 : x[i - 1];
                    g[i] += residual * xi;
                    for (int j = 0; j <= i; j++)
                    {
                        h[(i * n) + j] += curvature * xi * (j == 0 ? 1 : x[j - 1]);
                    }
                }
            }

            for (int i = 1; i < n; i++)
            {
                sum += 0.5 * ridge * at[i] * at[i];
                if (g is not null && h is not null)
                {
                    g[i] += ridge * at[i];
                    h[(i * n) + i] += ridge;
                }
            }

            if (h is not null)
            {
                h[0] += 1e-12; // all probabilities 0 or 1: the intercept has no curvature left
            }

            return sum;
        }
    }

    /// <summary>Solves H x = g for a positive definite H (lower triangle) by Cholesky's factorisation H = L Lᵀ.</summary>
    private static double[] Solve(double[] h, double[] g, int n)
    {
        double[] l = (double[])h.Clone(), x = (double[])g.Clone();
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = l[(i * n) + j];
                for (int k = 0; k < j; k++)
                {
                    sum -= l[(i * n) + k] * l[(j * n) + k];
                }

                l[(i * n) + j] = i == j ? Math.Sqrt(Math.Max(sum, 1e-300)) : sum / l[(j * n) + j];
            }
        }

        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k < i; k++)
            {
                x[i] -= l[(i * n) + k] * x[k];
            }

            x[i] /= l[(i * n) + i];
        }

        for (int i = n - 1; i >= 0; i--)
        {
            for (int k = i + 1; k < n; k++)
            {
                x[i] -= l[(k * n) + i] * x[k];
            }

            x[i] /= l[(i * n) + i];
        }

        return x;
    }
}
