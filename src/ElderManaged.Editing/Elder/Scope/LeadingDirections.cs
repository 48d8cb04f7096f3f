using System.Numerics.Tensors;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// The leading eigenvalues and eigenvectors of a covariance, found from the vectors themselves without ever making the
/// matrix: subspace iteration with Rayleigh–Ritz (Halko, Martinsson and Tropp 2011, algorithm 4.4).
/// </summary>
/// <remarks>
/// <para>
/// A covariance of width 4096 takes <see cref="SymmetricEigen"/> minutes; a product with a hundred vectors costs a second:
/// </para>
/// <code>
///   X [samples, width], centred       V [block, width], orthonormal rows
///   Y = X·Vᵀ   [samples, block]       each sample's part in every direction
///   Z = Yᵀ·X   [block, width]         = V·XᵀX: directions of large variance grow fastest
///   V ← orthonormal rows of Z         and again, until the variances stay
/// </code>
/// <para>All sums run in a fixed order: the same vectors give the same bits for any number of threads.</para>
/// </remarks>
internal static class LeadingDirections
{
    // More directions than wanted: the last wanted ones settle as fast as those behind them are smaller.
    private const int Spare = 24;
    private const int MostRounds = 40;
    private const double Settled = 1e-5; // relative change of a variance; whitening divides by its root
    private const int SamplesTogether = 32, ColumnsTogether = 256;

    /// <summary>The largest variances in descending order and their unit directions as rows.</summary>
    /// <param name="vectors">The samples, all of one width.</param>
    /// <param name="mean">Their mean.</param>
    /// <param name="wanted">How many directions; fewer come back where the samples have fewer.</param>
    public static (double[] Values, double[] Directions) Find(IReadOnlyList<float[]> vectors, double[] mean, int wanted)
    {
        int width = mean.Length, samples = vectors.Count;
        int block = Math.Min(Math.Min(wanted + Spare, samples), width);
        double[] x = new double[checked(samples * width)];
        for (int i = 0; i < samples; i++)
        {
            for (int c = 0; c < width; c++)
            {
                x[(i * width) + c] = vectors[i][c] - mean[c];
            }
        }

        // Starts in the space of the samples: random sums of them.
        RandomSource random = new(0x5EED);
        double[] y = new double[samples * block], v = new double[block * width], variances = new double[block];
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = random.NextGaussian();
        }

        Sums(x, y, v, samples, width, block);
        Orthonormalise(v, block, width);
        double[] turned = new double[v.Length];
        for (int round = 0; round < MostRounds; round++)
        {
            Parts(x, v, y, samples, width, block);
            (double[] values, double[] rotation) = Ritz(y, samples, block);
            for (int d = 0; d < block; d++)
            {
                Combine(rotation.AsSpan(d * block, block), v, turned.AsSpan(d * width, width));
            }

            bool settled = true;
            for (int d = 0; d < Math.Min(wanted, block); d++)
            {
                settled &= Math.Abs(values[d] - variances[d]) <= Settled * values[d];
            }

            variances = values;
            (v, turned) = (turned, v);
            if (settled)
            {
                break;
            }

            Parts(x, v, y, samples, width, block);
            Sums(x, y, v, samples, width, block);
            Orthonormalise(v, block, width);
        }

        int kept = Math.Min(wanted, block);
        return (variances[..kept], v[..(kept * width)]);
    }

    /// <summary>Y = X·Vᵀ; threads share the samples.</summary>
    private static void Parts(double[] x, double[] v, double[] y, int samples, int width, int block) =>
        CpuThreads.Run((samples + SamplesTogether - 1) / SamplesTogether, (x, v, y, samples, width, block), static (s, part) =>
        {
            int first = part * SamplesTogether, end = Math.Min(s.samples, first + SamplesTogether);
            for (int d = 0; d < s.block; d++)
            {
                ReadOnlySpan<double> direction = s.v.AsSpan(d * s.width, s.width);
                for (int i = first; i < end; i++)
                {
                    s.y[(i * s.block) + d] = TensorPrimitives.Dot(s.x.AsSpan(i * s.width, s.width), direction);
                }
            }
        });

    /// <summary>Z = Yᵀ·X; threads share the columns, each sums over the samples in their order.</summary>
    private static void Sums(double[] x, double[] y, double[] z, int samples, int width, int block) =>
        CpuThreads.Run((width + ColumnsTogether - 1) / ColumnsTogether, (x, y, z, samples, width, block), static (s, part) =>
        {
            int column = part * ColumnsTogether, count = Math.Min(ColumnsTogether, s.width - column);
            for (int d = 0; d < s.block; d++)
            {
                s.z.AsSpan((d * s.width) + column, count).Clear();
            }

            for (int first = 0; first < s.samples; first += SamplesTogether)
            {
                for (int d = 0; d < s.block; d++)
                {
                    Span<double> sum = s.z.AsSpan((d * s.width) + column, count);
                    for (int i = first; i < Math.Min(s.samples, first + SamplesTogether); i++)
                    {
                        TensorPrimitives.MultiplyAdd(s.x.AsSpan((i * s.width) + column, count), s.y[(i * s.block) + d], sum, sum);
                    }
                }
            }
        });

    /// <summary>Variances and directions within the subspace: the eigenvectors of Yᵀ·Y / samples [block, block].</summary>
    private static (double[] Values, double[] Rotation) Ritz(double[] y, int samples, int block)
    {
        double[] small = new double[block * block];
        for (int i = 0; i < samples; i++)
        {
            ReadOnlySpan<double> row = y.AsSpan(i * block, block);
            for (int d = 0; d < block; d++)
            {
                Span<double> sum = small.AsSpan(d * block, d + 1);
                TensorPrimitives.MultiplyAdd(row[..(d + 1)], row[d], sum, sum);
            }
        }

        TensorPrimitives.Divide(small, samples, small);
        return SymmetricEigen.Decompose(small, block);
    }

    private static void Combine(ReadOnlySpan<double> weights, double[] rows, Span<double> result)
    {
        result.Clear();
        for (int d = 0; d < weights.Length; d++)
        {
            TensorPrimitives.MultiplyAdd(rows.AsSpan(d * result.Length, result.Length), weights[d], result, result);
        }
    }

    // Gram–Schmidt, twice over, because once leaves what rounding leaves. A row without anything of its own becomes zero.
    private static void Orthonormalise(double[] rows, int count, int width)
    {
        for (int d = 0; d < count; d++)
        {
            Span<double> row = rows.AsSpan(d * width, width);
            double before = TensorPrimitives.Norm<double>(row);
            for (int pass = 0; pass < 2; pass++)
            {
                for (int e = 0; e < d; e++)
                {
                    ReadOnlySpan<double> other = rows.AsSpan(e * width, width);
                    TensorPrimitives.MultiplyAdd(other, -TensorPrimitives.Dot(row, other), row, row);
                }
            }

            double norm = TensorPrimitives.Norm<double>(row);
            if (norm <= 1e-12 * before || norm == 0)
            {
                row.Clear();
            }
            else
            {
                TensorPrimitives.Divide(row, norm, row);
            }
        }
    }
}
