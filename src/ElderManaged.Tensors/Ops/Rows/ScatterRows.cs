namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// Puts rows into place: y = zeros [count, C], then y[rows[i], :] += x[i, :] for x of [n, C]. The reverse of
    /// <see cref="GatherRows"/>: rows that repeat add up, in the order of <paramref name="rows"/>.
    /// </summary>
    /// <remarks>The row numbers are not copied: they must not change until the tape ends.</remarks>
    public static Tensor ScatterRows(Tensor x, int[] rows, int count)
    {
        ArgumentNullException.ThrowIfNull(x);
        RequireRowNumbers("ScatterRows", rows, count);
        if (rows.Length != x.Rows)
        {
            throw new ArgumentException($"ScatterRows: the input {x.Shape} has {x.Rows} rows, {rows.Length} row numbers were given.");
        }

        Tensor y = Tape.NewTensor(new Shape(count, x.Columns));
        RowMoves.Scatter(x, rows, y, fresh: true);
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("ScatterRows", y, (x, rows), static (s, y) =>
            {
                // y[rows[i]] += x[i]  →  dx[i] += dy[rows[i]]
                Tensor dx = s.x.GradSink(out bool fresh);
                RowMoves.Gather(y.Grad!, s.rows, dx, fresh);
            });
    }
}
