using System.Numerics.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Subtracts the mean, projects on principal directions and divides by their deviation: directions in which all prompts
/// look alike no longer drown those that tell prompts apart.
/// </summary>
public sealed class Whitening
{
    // Up to this width all directions of the covariance are computed, which takes seconds; beyond, only those that are kept.
    private const int WidestWhole = 1024;

    // C = input width, D = directions
    private readonly float[] mean;       // (C)
    private readonly float[] projection; // (D, C), rows already divided by their deviation

    /// <summary>A whitening with known numbers.</summary>
    /// <param name="mean">The mean [width].</param>
    /// <param name="projection">One row for each direction, divided by its deviation [directions, width].</param>
    public Whitening(float[] mean, float[] projection)
    {
        ArgumentNullException.ThrowIfNull(mean);
        ArgumentNullException.ThrowIfNull(projection);
        if (mean.Length == 0 || projection.Length == 0 || projection.Length % mean.Length != 0)
        {
            throw new ArgumentException($"Whitening: {projection.Length} numbers are no projection from a width of {mean.Length}.");
        }

        (this.mean, this.projection) = (mean, projection);
    }

    /// <summary>The width of the vectors that go in.</summary>
    public int Width => mean.Length;

    /// <summary>The number of directions that come out.</summary>
    public int Components => projection.Length / mean.Length;

    internal float[] Mean => mean;

    internal float[] Projection => projection;

    /// <summary>Whitens one vector.</summary>
    /// <param name="vector">[Width].</param>
    /// <param name="result">[Components].</param>
    public void Apply(ReadOnlySpan<float> vector, Span<float> result)
    {
        Span<float> centred = Width <= 4096 ? stackalloc float[Width] : new float[Width];
        TensorPrimitives.Subtract(vector, mean, centred);
        for (int d = 0; d < Components; d++)
        {
            result[d] = TensorPrimitives.Dot(projection.AsSpan(d * Width, Width), centred);
        }
    }

    /// <summary>Estimates mean and directions from vectors.</summary>
    /// <param name="vectors">The samples; several times more than directions are wanted.</param>
    /// <param name="components">The most directions to keep.</param>
    /// <param name="varianceFloor">Directions below this share of the largest variance are left out.</param>
    public static Whitening Fit(IReadOnlyList<float[]> vectors, int components, double varianceFloor)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        ArgumentOutOfRangeException.ThrowIfLessThan(components, 1);
        if (vectors.Count < 2)
        {
            throw new ArgumentException($"Whitening: {vectors.Count} vectors have no variance; give at least some hundreds.");
        }

        int c = vectors[0].Length;
        double[] mean = new double[c];
        foreach (float[] vector in vectors)
        {
            if (vector.Length != c)
            {
                throw new ArgumentException($"Whitening: a vector has {vector.Length} numbers, the first has {c}.");
            }

            for (int i = 0; i < c; i++)
            {
                mean[i] += vector[i];
            }
        }

        for (int i = 0; i < c; i++)
        {
            mean[i] /= vectors.Count;
        }

        (double[] values, double[] directions) = c <= WidestWhole
            ? SymmetricEigen.Decompose(Covariance(vectors, mean), c)
            : LeadingDirections.Find(vectors, mean, components);
        int kept = 0;
        while (kept < Math.Min(components, Math.Min(values.Length, vectors.Count - 1)) && values[kept] > varianceFloor * values[0] && values[kept] > 0)
        {
            kept++;
        }

        if (kept == 0)
        {
            throw new ArgumentException($"Whitening: all {vectors.Count} vectors are equal; give varied texts.");
        }

        float[] projection = new float[kept * c];
        for (int d = 0; d < kept; d++)
        {
            double inverse = 1 / Math.Sqrt(values[d]);
            for (int i = 0; i < c; i++)
            {
                projection[(d * c) + i] = (float)(inverse * directions[(d * c) + i]);
            }
        }

        return new Whitening([.. mean.Select(m => (float)m)], projection);
    }

    /// <summary>The lower triangle of the covariance [C, C], summed in double because activations span many magnitudes.</summary>
    private static double[] Covariance(IReadOnlyList<float[]> vectors, double[] mean)
    {
        int c = mean.Length;
        double[] covariance = new double[c * c];
        double[] centred = new double[c];
        foreach (float[] vector in vectors)
        {
            for (int i = 0; i < c; i++)
            {
                centred[i] = vector[i] - mean[i];
            }

            for (int i = 0; i < c; i++)
            {
                Span<double> row = covariance.AsSpan(i * c, i + 1);
                TensorPrimitives.MultiplyAdd(centred.AsSpan(0, i + 1), centred[i], row, row);
            }
        }

        for (int i = 0; i < covariance.Length; i++)
        {
            covariance[i] /= vectors.Count;
        }

        return covariance;
    }
}
