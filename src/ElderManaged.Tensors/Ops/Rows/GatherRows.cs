namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// Picks rows: y[i, :] = x[rows[i], :], so [R, C] gives [n, C]. Rows may repeat; the gradient adds up in the order
    /// of <paramref name="rows"/>.
    /// </summary>
    /// <remarks>The row numbers are not copied: they must not change until the tape ends.</remarks>
    public static Tensor GatherRows(Tensor x, int[] rows)
    {
        ArgumentNullException.ThrowIfNull(x);
        RequireRowNumbers("GatherRows", rows, x.Rows);
        Tensor y = Tape.NewTensor(new Shape(rows.Length, x.Columns));
        RowMoves.Gather(x, rows, y);
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("GatherRows", y, (x, rows), static (s, y) =>
            {
                // y[i] = x[rows[i]]  →  dx[rows[i]] += dy[i]
                Tensor dx = s.x.GradSink(out bool fresh);
                RowMoves.Scatter(y.Grad!, s.rows, dx, fresh);
            });
    }

    private static void RequireRowNumbers(string op, int[] rows, int count)
    {
        ArgumentNullException.ThrowIfNull(rows);
        for (int i = 0; i < rows.Length; i++)
        {
            if ((uint)rows[i] >= (uint)count)
            {
                throw new ArgumentException($"{op}: row {rows[i]} at position {i} does not exist; there are {count} rows.");
            }
        }
    }
}
