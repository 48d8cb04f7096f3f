namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>Rows of a table that never changes, in whatever format it is stored, by their numbers: [ids, width].</summary>
    /// <param name="table">The table, (rows, width).</param>
    /// <param name="ids">Which rows.</param>
    /// <param name="device">Where the rows are wanted, the processor if not given; another device gets a copy of the table at its first use.</param>
    public static Tensor Embedding(FrozenMatrix table, ReadOnlySpan<int> ids, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)table.OutFeatures)
            {
                throw new ArgumentException($"Embedding: id {ids[i]} at position {i} is outside of the table; ids go from 0 to {table.OutFeatures - 1}.");
            }
        }

        Tensor rows = Tape.NewTensor(new Shape(ids.Length, table.InFeatures));
        if (GpuFeature.IsSupported && device is GpuDevice gpu)
        {
            table.CopyRows(gpu, ids, rows);
        }
        else
        {
            Span<float> all = rows.Span;
            for (int i = 0; i < ids.Length; i++)
            {
                table.CopyRow(ids[i], all.Slice(i * table.InFeatures, table.InFeatures));
            }
        }

        return rows;
    }
}
