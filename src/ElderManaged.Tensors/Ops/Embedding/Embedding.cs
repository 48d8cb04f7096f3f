namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// Looks up rows of a table: y[i, :] = table[ids[i], :], so [V, C] gives [n, C]. The gradient adds each row of dy to
    /// the row of the table it came from, in the order of <paramref name="ids"/>.
    /// </summary>
    /// <remarks>The ids are copied when a gradient is wanted; the overloads on arrays and memory avoid the copy.</remarks>
    public static Tensor Embedding(Tensor table, ReadOnlySpan<int> ids) =>
        Tape.Wants(table) ? Embedding(table, new ReadOnlyMemory<int>(ids.ToArray())) : Lookup(table, ids);

    /// <inheritdoc cref="Embedding(Tensor, ReadOnlyMemory{int})"/>
    public static Tensor Embedding(Tensor table, int[] ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return Embedding(table, new ReadOnlyMemory<int>(ids));
    }

    /// <inheritdoc cref="Embedding(Tensor, ReadOnlySpan{int})"/>
    /// <remarks>The ids are not copied: they must not change until the tape ends.</remarks>
    public static Tensor Embedding(Tensor table, ReadOnlyMemory<int> ids)
    {
        Tensor y = Lookup(table, ids.Span);
        return !Tape.Wants(table)
            ? y
            : GradNode.Record("Embedding", y, (table, ids), static (s, y) =>
            {
                // y[i] = table[ids[i]]  →  dtable[ids[i]] += dy[i]
                Tensor dtable = s.table.GradSink(out bool fresh);
                RowMoves.Scatter(y.Grad!, s.ids.Span, dtable, fresh);
            });
    }

    private static Tensor Lookup(Tensor table, ReadOnlySpan<int> ids)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (table.Shape.Rank != 2)
        {
            throw new ArgumentException($"Embedding: the table {table.Shape} must be a matrix [vocabulary, width].");
        }

        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)table.Rows)
            {
                throw new ArgumentException($"Embedding: id {ids[i]} at position {i} is outside of the table {table.Shape}; ids go from 0 to {table.Rows - 1}.");
            }
        }

        Tensor y = Tape.NewTensor(new Shape(ids.Length, table.Columns));
        RowMoves.Gather(table, ids, y);
        return y;
    }
}
