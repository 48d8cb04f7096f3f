using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>y = exp(x − max) / Σ exp(x − max) in each row: positive numbers that add to 1.</summary>
    /// <param name="x">[…, C]; over the last dimension.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    /// <remarks>Subtracting the largest element changes nothing but the range: no overflow. An element of −∞ gets 0.</remarks>
    public static Tensor Softmax(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        RowBlocks.Run(x.Rows, x.Columns, (x, y), static (s, block) =>
        {
            for (int row = block.First; row < block.End; row++)
            {
                SoftmaxKernel.Forward(s.x.Row(row), s.y.Row(row));
            }
        });
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Softmax", y, x, static (x, y) =>
                RowBlocks.Run(x.Rows, x.Columns, (y, dy: y.Grad!, dx: x.GradSink()), static (s, block) =>
                {
                    for (int row = block.First; row < block.End; row++)
                    {
                        SoftmaxKernel.AddGradient(s.y.Row(row), s.dy.Row(row), s.dx.Row(row));
                    }
                }));
    }
}

/// <summary>One row of softmax.</summary>
internal static unsafe class SoftmaxKernel
{
    public static void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        Vector512<float> max = Vector512.Create(TensorPrimitives.Max(x));
        for (int i = 0; i < x.Length; i += 16)
        {
            Lanes16.Store(SimdMath.Exp<Lanes512, Vector512<float>>(Lanes16.Load(x, i) - max), y, i);
        }

        fixed (float* p = y)
        {
            TensorPrimitives.Multiply(y, 1 / Reductions.Sum(p, y.Length), y);
        }
    }

    /// <summary>dx += y · (dy − Σ dy·y).</summary>
    public static void AddGradient(ReadOnlySpan<float> y, ReadOnlySpan<float> dy, Span<float> dx)
    {
        fixed (float* p = y, q = dy)
        {
            Vector512<float> mean = Vector512.Create(Reductions.Dot(p, q, y.Length));
            for (int i = 0; i < y.Length; i += 16)
            {
                Lanes16.Store(Vector512.FusedMultiplyAdd(Lanes16.Load(y, i), Lanes16.Load(dy, i) - mean, Lanes16.Load(dx, i)), dx, i);
            }
        }
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
