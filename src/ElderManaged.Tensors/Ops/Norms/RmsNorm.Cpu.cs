using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>One row of RMS normalisation; n = its width.</summary>
internal static unsafe class RmsNormKernel
{
    /// <summary>Writes y; returns 1/√(mean(x²) + ε).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Forward(float* x, float* gain, float* y, float epsilon, int n)
    {
        float inverse = 1 / MathF.Sqrt((Reductions.Dot(x, x, n) / n) + epsilon);
        Vector512<float> r = Vector512.Create(inverse);
        int i = 0;
        for (; i <= n - 16; i += 16)
        {
            (Vector512.Load(x + i) * r * Vector512.Load(gain + i)).Store(y + i);
        }

        for (; i < n; i++)
        {
            y[i] = x[i] * inverse * gain[i];
        }

        return inverse;
    }

    /// <summary>
    /// With z = x·inverse and dz = dy·gain: dgain += dy·z, if wanted; dx += inverse · (dz − z·mean(dz·z)), or = where <paramref name="fresh"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward(float* x, float* gain, float* dy, float inverse, float* dx, bool fresh, float* dgain, int n)
    {
        Vector512<float> r = Vector512.Create(inverse);
        Vector512<float> product = default;
        int i = 0;
        if (dgain == null)
        {
            for (; i <= n - 16; i += 16)
            {
                Vector512<float> dz = Lanes512.WithoutSmallest(Vector512.Load(dy + i)) * Vector512.Load(gain + i);
                product = Vector512.FusedMultiplyAdd(dz, Vector512.Load(x + i) * r, product);
            }
        }
        else
        {
            for (; i <= n - 16; i += 16)
            {
                Vector512<float> d = Lanes512.WithoutSmallest(Vector512.Load(dy + i));
                Vector512<float> z = Vector512.Load(x + i) * r;
                product = Vector512.FusedMultiplyAdd(d * Vector512.Load(gain + i), z, product);
                Vector512.FusedMultiplyAdd(d, z, Vector512.Load(dgain + i)).Store(dgain + i);
            }
        }

        float mean = Reductions.Fold(product);
        for (; i < n; i++)
        {
            float z = x[i] * inverse;
            mean = MathF.FusedMultiplyAdd(Lanes1.WithoutSmallest(dy[i]) * gain[i], z, mean);
            if (dgain != null)
            {
                dgain[i] = MathF.FusedMultiplyAdd(Lanes1.WithoutSmallest(dy[i]), z, dgain[i]);
            }
        }

        if (dx == null)
        {
            return;
        }

        mean /= n;
        Vector512<float> m = Vector512.Create(-mean);
        for (i = 0; i <= n - 16; i += 16)
        {
            Vector512<float> dz = Lanes512.WithoutSmallest(Vector512.Load(dy + i)) * Vector512.Load(gain + i);
            Vector512<float> inner = Vector512.FusedMultiplyAdd(Vector512.Load(x + i) * r, m, dz);
            (fresh ? r * inner : Vector512.FusedMultiplyAdd(r, inner, Vector512.Load(dx + i))).Store(dx + i);
        }

        for (; i < n; i++)
        {
            float inner = MathF.FusedMultiplyAdd(x[i] * inverse, -mean, Lanes1.WithoutSmallest(dy[i]) * gain[i]);
            dx[i] = fresh ? inverse * inner : MathF.FusedMultiplyAdd(inverse, inner, dx[i]);
        }
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.RmsNorm"/>; rows of n = gain.Length.</summary>
internal static class RmsNormPlain
{
    public static double[] Forward(double[] x, double[] gain, double epsilon)
    {
        int n = gain.Length;
        double[] y = new double[x.Length];
        for (int start = 0; start < x.Length; start += n)
        {
            double inverse = Inverse(x.AsSpan(start, n), epsilon);
            for (int i = 0; i < n; i++)
            {
                y[start + i] = x[start + i] * inverse * gain[i];
            }
        }

        return y;
    }

    public static (double[] Dx, double[] Dgain) Backward(double[] x, double[] gain, double epsilon, double[] dy)
    {
        int n = gain.Length;
        double[] dx = new double[x.Length];
        double[] dgain = new double[n];
        for (int start = 0; start < x.Length; start += n)
        {
            double inverse = Inverse(x.AsSpan(start, n), epsilon);
            double mean = 0;
            for (int i = 0; i < n; i++)
            {
                double z = x[start + i] * inverse;
                dgain[i] += dy[start + i] * z;
                mean += dy[start + i] * gain[i] * z / n;
            }

            for (int i = 0; i < n; i++)
            {
                dx[start + i] = inverse * ((dy[start + i] * gain[i]) - (x[start + i] * inverse * mean));
            }
        }

        return (dx, dgain);
    }

    private static double Inverse(ReadOnlySpan<double> row, double epsilon)
    {
        double square = 0;
        foreach (double value in row)
        {
            square += value * value / row.Length;
        }

        return 1 / Math.Sqrt(square + epsilon);
    }
}
