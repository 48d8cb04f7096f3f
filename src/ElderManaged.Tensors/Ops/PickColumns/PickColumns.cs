using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>y[s, j] = x[s, columns[s·k + j]]: from each row the elements named for it, such as the scores a router chose.</summary>
    /// <param name="x">[S, N].</param>
    /// <param name="columns">[S · k] column numbers, those of row 0 first; a column may be named more than once.</param>
    /// <returns>[S, k].</returns>
    /// <exception cref="ArgumentException">The columns cannot be shared out evenly, or one is outside of <paramref name="x"/>.</exception>
    public static Tensor PickColumns(Tensor x, ReadOnlySpan<int> columns)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Rows == 0 || columns.Length % x.Rows != 0)
        {
            throw new ArgumentException($"PickColumns: {columns.Length} columns cannot be shared evenly by the {x.Rows} rows of the input {x.Shape}.");
        }

        int each = columns.Length / x.Rows;
        Tensor y = Tape.NewTensor(new Shape(x.Rows, each));
        for (int i = 0; i < columns.Length; i++)
        {
            if ((uint)columns[i] >= (uint)x.Columns)
            {
                throw new ArgumentException($"PickColumns: column {columns[i]} for row {i / each} is outside of the input {x.Shape}.");
            }
        }

        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            RowMovesGpu.Pick(gpu, x, columns, y);
        }
        else
        {
            ReadOnlySpan<float> from = x.ReadOnlySpan;
            Span<float> to = y.Span;
            for (int i = 0; i < columns.Length; i++)
            {
                to[i] = from[(i / each * x.Columns) + columns[i]];
            }
        }

        if (!Tape.Wants(x))
        {
            return y;
        }

        // The caller's span may be gone at backward; a pooled tensor holds the same bits.
        Tensor kept = Tape.NewTensor(y.Shape);
        columns.CopyTo(MemoryMarshal.Cast<float, int>(kept.Span));
        return GradNode.Record("PickColumns", y, (x, kept), static (s, y) =>
        {
            ReadOnlySpan<int> columns = MemoryMarshal.Cast<float, int>(s.kept.Span);
            if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
            {
                RowMovesGpu.Place(gpu, y.Grad!, columns, s.x);
                return;
            }

            ReadOnlySpan<float> dy = y.Grad!.Span;
            Span<float> dx = s.x.GradSink().Span;
            for (int i = 0; i < columns.Length; i++)
            {
                dx[(i / y.Columns * s.x.Columns) + columns[i]] += dy[i];
            }
        });
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.PickColumns"/>; each row of n has k picked columns.</summary>
internal static class PickColumnsPlain
{
    public static double[] Forward(double[] x, int n, int[] columns, int k) =>
        columns.Select((column, i) => x[(i / k * n) + column]).ToArray();

    public static double[] Backward(double[] x, int n, int[] columns, int k, double[] dy)
    {
        double[] dx = new double[x.Length];
        for (int i = 0; i < columns.Length; i++)
        {
            dx[(i / k * n) + columns[i]] += dy[i];
        }

        return dx;
    }
}
