using System.Buffers;
using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>Rows that move on a GPU: memory's speed, no arithmetic to speak of.</summary>
/// <remarks>
/// Rows that are added up are sorted by where they go, on the host, with equal ones in the order they were given:
/// <code>
///   rows     5 2 5 7 2        →   target   2 2 5 5 7
///   source   0 1 2 3 4            source   1 4 0 2 3
///                                 group    ↑   ↑   ↑     the group at the first of equal targets adds all of them, one after the other
/// </code>
/// So the sums have the processor's order and no two groups write to one row.
/// </remarks>
internal static class RowMovesGpu
{
    private const int GroupSize = GpuElementwise.GroupSize;

    private static readonly GpuKernel<RowArguments> Gathering = new(GatherElement);
    private static readonly GpuKernel<RowArguments> Scattering = new(ScatterColumn);
    private static readonly GpuKernel<ColumnMoveArguments> Taking = new(TakeColumns);
    private static readonly GpuKernel<ColumnMoveArguments> Giving = new(GiveColumns);
    private static readonly GpuKernel<RowArguments> Picking = new(PickElement);
    private static readonly GpuKernel<RowArguments> Placing = new(PlaceRow);

    /// <summary>to[i, :] (+)= from[rows[i], :].</summary>
    public static void Gather(GpuDevice gpu, Tensor from, ReadOnlySpan<int> rows, Tensor to, bool fresh) =>
        Gathering.Launch(gpu, GpuElementwise.Groups(to.Length), GroupSize, new RowArguments
        {
            From = gpu.Read(from),
            To = gpu.Sink(to, fresh),
            Numbers = gpu.Indices(rows),
            Length = to.Length,
            Columns = to.Columns,
            Fresh = fresh ? 1 : 0,
        });

    /// <summary>to[rows[i], :] += from[i, :], from zeros where <paramref name="fresh"/>.</summary>
    public static void Scatter(GpuDevice gpu, Tensor from, ReadOnlySpan<int> rows, Tensor to, bool fresh)
    {
        ArrayView<float> sums = gpu.Sink(to, fresh);
        if (fresh)
        {
            gpu.Clear(sums);
        }

        int n = rows.Length;
        long[] keys = ArrayPool<long>.Shared.Rent(n);
        int[] numbers = ArrayPool<int>.Shared.Rent(2 * n);
        for (int i = 0; i < n; i++)
        {
            keys[i] = ((long)rows[i] << 32) | (uint)i;
        }

        Array.Sort(keys, 0, n);
        for (int i = 0; i < n; i++)
        {
            numbers[i] = (int)(keys[i] >> 32);
            numbers[n + i] = (int)keys[i];
        }

        Scattering.Launch(gpu, new Index3D(n, GpuElementwise.Groups(to.Columns), 1), new Index3D(GroupSize, 1, 1), new RowArguments
        {
            From = gpu.Read(from),
            To = sums,
            Numbers = gpu.Indices(numbers.AsSpan(0, 2 * n)),
            Length = n,
            Columns = to.Columns,
        });
        ArrayPool<long>.Shared.Return(keys);
        ArrayPool<int>.Shared.Return(numbers);
    }

    /// <summary>to = the columns of <paramref name="from"/> that begin at <paramref name="start"/>.</summary>
    public static void Take(GpuDevice gpu, Tensor from, int start, Tensor to) =>
        Taking.Launch(gpu, GpuElementwise.Groups(to.Length), GroupSize, new ColumnMoveArguments
        {
            Wide = gpu.Read(from),
            Narrow = gpu.Write(to),
            Start = start,
            Columns = from.Columns,
            Part = to.Columns,
            Length = to.Length,
        });

    /// <summary>The columns of x's gradient that begin at <paramref name="start"/> += dy.</summary>
    public static void Give(GpuDevice gpu, Tensor dy, int start, Tensor x) =>
        Giving.Launch(gpu, GpuElementwise.Groups(dy.Length), GroupSize, new ColumnMoveArguments
        {
            Wide = gpu.AddingSink(x),
            Narrow = gpu.Read(dy),
            Start = start,
            Columns = x.Columns,
            Part = dy.Columns,
            Length = dy.Length,
        });

    /// <summary>to[s, j] = from[s, columns[s·k + j]].</summary>
    public static void Pick(GpuDevice gpu, Tensor from, ReadOnlySpan<int> columns, Tensor to) =>
        Picking.Launch(gpu, GpuElementwise.Groups(to.Length), GroupSize, new RowArguments
        {
            From = gpu.Read(from),
            To = gpu.Write(to),
            Numbers = gpu.Indices(columns),
            Length = to.Length,
            Columns = from.Columns,
            Each = to.Columns,
        });

    /// <summary>The reverse of <see cref="Pick"/>: x's gradient gets each dy where it came from.</summary>
    public static void Place(GpuDevice gpu, Tensor dy, ReadOnlySpan<int> columns, Tensor x) =>
        Placing.Launch(gpu, GpuElementwise.Groups(x.Rows), GroupSize, new RowArguments
        {
            From = gpu.Read(dy),
            To = gpu.AddingSink(x),
            Numbers = gpu.Indices(columns),
            Length = x.Rows,
            Columns = x.Columns,
            Each = dy.Columns,
        });

    internal static void GatherElement(RowArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            int row = i / a.Columns;
            float value = a.From[((long)a.Numbers[row] * a.Columns) + (i - (row * a.Columns))];
            a.To[i] = a.Fresh != 0 ? value : a.To[i] + value;
        }
    }

    internal static void ScatterColumn(RowArguments a)
    {
        int first = Grid.IdxX;
        int column = (Grid.IdxY * Group.DimX) + Group.IdxX;
        int target = a.Numbers[first];
        if (column >= a.Columns || (first > 0 && a.Numbers[first - 1] == target))
        {
            return;
        }

        long at = ((long)target * a.Columns) + column;
        float sum = a.To[at];
        for (int i = first; i < a.Length && a.Numbers[i] == target; i++)
        {
            sum += a.From[((long)a.Numbers[a.Length + i] * a.Columns) + column];
        }

        a.To[at] = sum;
    }

    internal static void TakeColumns(ColumnMoveArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            int row = i / a.Part;
            a.Narrow[i] = a.Wide[((long)row * a.Columns) + a.Start + (i - (row * a.Part))];
        }
    }

    internal static void GiveColumns(ColumnMoveArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            int row = i / a.Part;
            a.Wide[((long)row * a.Columns) + a.Start + (i - (row * a.Part))] += a.Narrow[i];
        }
    }

    internal static void PickElement(RowArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            a.To[i] = a.From[((long)(i / a.Each) * a.Columns) + a.Numbers[i]];
        }
    }

    // One thread a row: a column may be named twice, and both add up, the first one first.
    internal static void PlaceRow(RowArguments a)
    {
        int row = Grid.GlobalIndex.X;
        if (row < a.Length)
        {
            int end = (row + 1) * a.Each;
            for (int i = row * a.Each; i < end; i++)
            {
                a.To[((long)row * a.Columns) + a.Numbers[i]] += a.From[i];
            }
        }
    }
}

/// <summary>Of the moves of <see cref="RowMovesGpu"/> that have row or column numbers.</summary>
internal struct RowArguments
{
    public ArrayView<float> From;
    public ArrayView<float> To;
    public ArrayView<int> Numbers;
    public int Length;
    public int Columns;
    public int Each;
    public int Fresh;
}

/// <summary>Of the moves of <see cref="RowMovesGpu"/> between a matrix and some of its columns.</summary>
internal struct ColumnMoveArguments
{
    public ArrayView<float> Wide;
    public ArrayView<float> Narrow;
    public int Start;
    public int Columns;
    public int Part;
    public int Length;
}
