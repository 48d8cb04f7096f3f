using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>One row of layer normalisation; n = its width.</summary>
internal static unsafe class LayerNormKernel
{
    /// <summary>Writes y; returns μ and 1/√(σ² + ε).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (float Mean, float Inverse) Forward(float* x, float* gain, float* bias, float* y, float epsilon, int n)
    {
        // Two passes: E[x²] − μ² would cancel for rows far from zero.
        float mean = Reductions.Sum(x, n) / n;
        float inverse = 1 / MathF.Sqrt((Reductions.SquaredDeviations(x, mean, n) / n) + epsilon);
        Vector512<float> m = Vector512.Create(mean);
        Vector512<float> r = Vector512.Create(inverse);
        int i = 0;
        for (; i <= n - 16; i += 16)
        {
            Vector512<float> z = (Vector512.Load(x + i) - m) * r;
            Vector512.FusedMultiplyAdd(z, Vector512.Load(gain + i), Vector512.Load(bias + i)).Store(y + i);
        }

        for (; i < n; i++)
        {
            y[i] = MathF.FusedMultiplyAdd((x[i] - mean) * inverse, gain[i], bias[i]);
        }

        return (mean, inverse);
    }

    /// <summary>
    /// With z = (x − μ)·inverse and dz = dy·gain: dgain += dy·z and dbias += dy, if wanted;
    /// dx += inverse · (dz − mean(dz) − z·mean(dz·z)), or = where <paramref name="fresh"/>.
    /// </summary>
    /// <remarks>
    /// The first pass over the row takes the means and adds to the parameters' gradients, the second writes dx. A dy that has shrunk to
    /// subnormal numbers counts as 0: there the processor would be a hundred times slower.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward(
        float* x, float* gain, float* dy, float mean, float inverse, float* dx, bool fresh, float* dgain, float* dbias, int n)
    {
        Vector512<float> m = Vector512.Create(mean);
        Vector512<float> r = Vector512.Create(inverse);
        Vector512<float> sum = default, product = default;
        int i = 0;
        if (dgain == null)
        {
            for (; i <= n - 16; i += 16)
            {
                Vector512<float> dz = Lanes512.WithoutSmallest(Vector512.Load(dy + i)) * Vector512.Load(gain + i);
                sum += dz;
                product = Vector512.FusedMultiplyAdd(dz, (Vector512.Load(x + i) - m) * r, product);
            }
        }
        else
        {
            for (; i <= n - 16; i += 16)
            {
                Vector512<float> d = Lanes512.WithoutSmallest(Vector512.Load(dy + i));
                Vector512<float> z = (Vector512.Load(x + i) - m) * r;
                Vector512<float> dz = d * Vector512.Load(gain + i);
                sum += dz;
                product = Vector512.FusedMultiplyAdd(dz, z, product);
                Vector512.FusedMultiplyAdd(d, z, Vector512.Load(dgain + i)).Store(dgain + i);
                (d + Vector512.Load(dbias + i)).Store(dbias + i);
            }
        }

        float meanDz = Reductions.Fold(sum);
        float meanDzZ = Reductions.Fold(product);
        for (; i < n; i++)
        {
            float z = (x[i] - mean) * inverse;
            float dz = Lanes1.WithoutSmallest(dy[i]) * gain[i];
            meanDz += dz;
            meanDzZ = MathF.FusedMultiplyAdd(dz, z, meanDzZ);
            if (dgain != null)
            {
                dgain[i] = MathF.FusedMultiplyAdd(Lanes1.WithoutSmallest(dy[i]), z, dgain[i]);
                dbias[i] += dy[i];
            }
        }

        if (dx == null)
        {
            return;
        }

        meanDz /= n;
        meanDzZ /= n;
        Vector512<float> a = Vector512.Create(meanDz);
        Vector512<float> b = Vector512.Create(-meanDzZ);
        for (i = 0; i <= n - 16; i += 16)
        {
            Vector512<float> dz = Lanes512.WithoutSmallest(Vector512.Load(dy + i)) * Vector512.Load(gain + i);
            Vector512<float> z = (Vector512.Load(x + i) - m) * r;
            Vector512<float> inner = Vector512.FusedMultiplyAdd(z, b, dz - a);
            (fresh ? r * inner : Vector512.FusedMultiplyAdd(r, inner, Vector512.Load(dx + i))).Store(dx + i);
        }

        for (; i < n; i++)
        {
            float z = (x[i] - mean) * inverse;
            float inner = MathF.FusedMultiplyAdd(z, -meanDzZ, (Lanes1.WithoutSmallest(dy[i]) * gain[i]) - meanDz);
            dx[i] = fresh ? inverse * inner : MathF.FusedMultiplyAdd(inverse, inner, dx[i]);
        }
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.LayerNorm"/>; rows of n = gain.Length.</summary>
internal static class LayerNormPlain
{
    public static double[] Forward(double[] x, double[] gain, double[] bias, double epsilon)
    {
        int n = gain.Length;
        double[] y = new double[x.Length];
        for (int start = 0; start < x.Length; start += n)
        {
            (double mean, double inverse) = Moments(x.AsSpan(start, n), epsilon);
            for (int i = 0; i < n; i++)
            {
                y[start + i] = ((x[start + i] - mean) * inverse * gain[i]) + bias[i];
            }
        }

        return y;
    }

    public static (double[] Dx, double[] Dgain, double[] Dbias) Backward(double[] x, double[] gain, double epsilon, double[] dy)
    {
        int n = gain.Length;
        double[] dx = new double[x.Length];
        double[] dgain = new double[n];
        double[] dbias = new double[n];
        for (int start = 0; start < x.Length; start += n)
        {
            (double mean, double inverse) = Moments(x.AsSpan(start, n), epsilon);
            double meanDz = 0;
            double meanDzZ = 0;
            for (int i = 0; i < n; i++)
            {
                double z = (x[start + i] - mean) * inverse;
                double dz = dy[start + i] * gain[i];
                dgain[i] += dy[start + i] * z;
                dbias[i] += dy[start + i];
                meanDz += dz / n;
                meanDzZ += dz * z / n;
            }

            for (int i = 0; i < n; i++)
            {
                double z = (x[start + i] - mean) * inverse;
                dx[start + i] = inverse * ((dy[start + i] * gain[i]) - meanDz - (z * meanDzZ));
            }
        }

        return (dx, dgain, dbias);
    }

    private static (double Mean, double Inverse) Moments(ReadOnlySpan<double> row, double epsilon)
    {
        double mean = 0;
        foreach (double value in row)
        {
            mean += value / row.Length;
        }

        double variance = 0;
        foreach (double value in row)
        {
            variance += (value - mean) * (value - mean) / row.Length;
        }

        return (mean, 1 / Math.Sqrt(variance + epsilon));
    }
}
