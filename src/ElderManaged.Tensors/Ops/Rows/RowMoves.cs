using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

/// <summary>
/// The moves of rows behind <see cref="Op.GatherRows"/>, <see cref="Op.ScatterRows"/> and the embedding look-up. Row numbers
/// were checked by the op.
/// </summary>
internal static unsafe class RowMoves
{
    /// <summary>With less to add, waking a thread costs more than it saves.</summary>
    private const int WorthThreads = 48 * 1024;

    private const int ColumnStrip = 256;

    /// <summary>to[i, :] = from[rows[i], :], or += where not <paramref name="fresh"/>.</summary>
    public static void Gather(Tensor from, ReadOnlySpan<int> rows, Tensor to, bool fresh = true)
    {
        if (GpuFeature.IsSupported && from.Gpu is { } gpu)
        {
            RowMovesGpu.Gather(gpu, from, rows, to, fresh);
            return;
        }

        fixed (int* number = rows)
        {
            RowBlocks.Run(rows.Length, from.Columns, (from, to, rows: (nint)number, fresh), static (s, block) =>
            {
                for (int i = block.First; i < block.End; i++)
                {
                    Span<float> source = s.from.Row(((int*)s.rows)[i]);
                    Span<float> target = s.to.Row(i);
                    if (s.fresh)
                    {
                        source.CopyTo(target);
                    }
                    else
                    {
                        TensorPrimitives.Add(target, source, target);
                    }
                }
            });
        }
    }

    /// <summary>
    /// to[rows[i], :] += from[i, :], from zeros where <paramref name="fresh"/>. Rows that repeat add up in the order of
    /// <paramref name="rows"/>: threads divide the columns, so the bits are the same for any number of them.
    /// </summary>
    public static void Scatter(Tensor from, ReadOnlySpan<int> rows, Tensor to, bool fresh)
    {
        if (GpuFeature.IsSupported && from.Gpu is { } gpu)
        {
            RowMovesGpu.Scatter(gpu, from, rows, to, fresh);
            return;
        }

        if (fresh && IsAscending(rows))
        {
            Place(from, rows, to);
            return;
        }

        if (fresh)
        {
            to.Span.Clear();
        }

        int width = from.Columns;
        int strip = from.Length < WorthThreads ? Math.Max(1, width) : ColumnStrip;
        fixed (int* number = rows)
        {
            CpuThreads.Run((width + strip - 1) / strip, (from, to, rows: (nint)number, strip), static (s, part) =>
            {
                int first = part * s.strip;
                int count = Math.Min(s.strip, s.from.Columns - first);
                for (int i = 0; i < s.from.Rows; i++)
                {
                    Span<float> sum = s.to.Row(((int*)s.rows)[i]).Slice(first, count);
                    TensorPrimitives.Add(sum, s.from.Row(i).Slice(first, count), sum);
                }
            });
        }
    }

    // No row repeats: each is written once, as are the zeros between them.
    private static void Place(Tensor from, ReadOnlySpan<int> rows, Tensor to)
    {
        int width = from.Columns;
        to.Span[..((rows.IsEmpty ? to.Rows : rows[0]) * width)].Clear();
        fixed (int* number = rows)
        {
            RowBlocks.Run(rows.Length, width, (from, to, rows: (nint)number), static (s, block) =>
            {
                int width = s.from.Columns;
                int* rows = (int*)s.rows;
                for (int i = block.First; i < block.End; i++)
                {
                    s.from.Row(i).CopyTo(s.to.Row(rows[i]));
                    int next = i + 1 < s.from.Rows ? rows[i + 1] : s.to.Rows;
                    s.to.Span[((rows[i] + 1) * width)..(next * width)].Clear();
                }
            });
        }
    }

    private static bool IsAscending(ReadOnlySpan<int> rows)
    {
        for (int i = 1; i < rows.Length; i++)
        {
            if (rows[i] <= rows[i - 1])
            {
                return false;
            }
        }

        return true;
    }
}
