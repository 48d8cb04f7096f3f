using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>y = exp(x − max) / Σ exp(x − max) in each row: positive numbers that add to 1.</summary>
    /// <param name="x">[…, C]; over the last dimension.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    /// <remarks>Subtracting the largest element changes nothing but the range: no overflow. An element of −∞, or 88 below the largest, gets 0.</remarks>
    public static unsafe Tensor Softmax(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            SoftmaxGpu.Forward(gpu, x, y);
        }
        else
        {
            RowBlocks.Run(x.Rows, x.Columns, (x, y), static (s, block) =>
            {
                for (int row = block.First; row < block.End; row++)
                {
                    long at = (long)row * s.x.Columns;
                    SoftmaxKernel.Forward(s.x.Pointer + at, s.y.Pointer + at, s.x.Columns);
                }
            });
        }

        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Softmax", y, x, static (x, y) =>
            {
                Tensor dx = x.GradSink(out bool fresh);
                if (GpuFeature.IsSupported && y.Gpu is { } gpu)
                {
                    SoftmaxGpu.Backward(gpu, y, y.Grad!, dx, fresh);
                    return;
                }

                RowBlocks.Run(x.Rows, x.Columns, (y, dy: y.Grad!, dx, fresh), static (s, block) =>
                {
                    for (int row = block.First; row < block.End; row++)
                    {
                        long at = (long)row * s.y.Columns;
                        SoftmaxKernel.AddGradient(s.y.Pointer + at, s.dy.Pointer + at, s.dx.Pointer + at, s.fresh, s.y.Columns);
                    }
                });
            });
    }
}

/// <summary>One row of softmax.</summary>
internal static unsafe class SoftmaxKernel
{
    /// <summary>Three passes: the largest; the exponentials with their sum; the division.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward(float* x, float* y, int n)
    {
        float largest = Reductions.Max(x, n);
        Vector512<float> max = Vector512.Create(largest);

        // The largest is subtracted first: its exponential is exactly 1, and so is the result of a row with one element.
        ExpScale scale = new(0);
        Vector512<float> least = Vector512.Create(scale.Least), start = Vector512.Create(scale.Start);
        int i = 0;
        Vector512<float> a = default, b = default;
        for (; i <= n - 32; i += 32)
        {
            a += Exp(x + i, max, least, start, y + i);
            b += Exp(x + i + 16, max, least, start, y + i + 16);
        }

        if (i <= n - 16)
        {
            a += Exp(x + i, max, least, start, y + i);
            i += 16;
        }

        float sum = Reductions.Fold(a + b);
        for (; i < n; i++)
        {
            y[i] = SimdMath.ScaledExp<Lanes1, float>(x[i] - largest, scale.Least, scale.Start, out float power) * power;
            sum += y[i];
        }

        float factor = 1 / sum;
        Vector512<float> f = Vector512.Create(factor);

        // A number of 2⁻¹²⁶·sum or less would become subnormal: 0 instead, see SimdMath.ScaledExp.
        float smallest = 1.17549435e-38f * sum;
        Vector512<float> below = Vector512.Create(smallest);
        for (i = 0; i <= n - 16; i += 16)
        {
            Vector512<float> v = Vector512.Load(y + i);
            (Lanes512.IfLess(v, below, default, v) * f).Store(y + i);
        }

        for (; i < n; i++)
        {
            y[i] = (y[i] < smallest ? 0 : y[i]) * factor;
        }
    }

    /// <summary>dx += y · (dy − Σ dy·y), or = where <paramref name="fresh"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddGradient(float* y, float* dy, float* dx, bool fresh, int n)
    {
        float sum = Reductions.Dot(y, dy, n);
        Vector512<float> mean = Vector512.Create(sum);
        int i = 0;
        for (; i <= n - 16; i += 16)
        {
            Vector512<float> p = Vector512.Load(y + i), d = Vector512.Load(dy + i) - mean;
            (fresh ? p * d : Vector512.FusedMultiplyAdd(p, d, Vector512.Load(dx + i))).Store(dx + i);
        }

        for (; i < n; i++)
        {
            dx[i] = fresh ? y[i] * (dy[i] - sum) : MathF.FusedMultiplyAdd(y[i], dy[i] - sum, dx[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(float* x, Vector512<float> max, Vector512<float> least, Vector512<float> start, float* y)
    {
        Vector512<float> e = SimdMath.ScaledExp<Lanes512, Vector512<float>>(Vector512.Load(x) - max, least, start, out Vector512<float> power) * power;
        e.Store(y);
        return e;
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Softmax"/>.</summary>
internal static class SoftmaxPlain
{
    public static double[] Forward(double[] x, int columns) => x.Chunk(columns).SelectMany(row =>
    {
        double max = row.Max();
        double sum = row.Sum(v => Math.Exp(v - max));
        return row.Select(v => Math.Exp(v - max) / sum);
    }).ToArray();

    public static double[] Backward(double[] x, int columns, double[] dy)
    {
        double[] y = Forward(x, columns);
        double[] dx = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int start = i / columns * columns;
            double mean = 0;
            for (int j = start; j < start + columns; j++)
            {
                mean += dy[j] * y[j];
            }

            dx[i] = y[i] * (dy[i] - mean);
        }

        return dx;
    }
}
