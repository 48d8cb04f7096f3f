using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>What has one number for each column: adding it to every row, and the sums over rows that are its gradient.</summary>
/// <remarks>
/// <code>
///   x     ┌ 256 columns ┬─────────────┬ …      One group a tile: each thread adds up its column from top to bottom,
///         │ 32+ rows    │             │         neighbouring threads read neighbouring numbers. Then one thread a column
///         ├─────────────┼─────────────┤         adds up the tiles' sums, again from top to bottom.
///         │             │             │
/// </code>
/// Both orders depend on the shape alone. One addition for 4 bytes read.
/// </remarks>
internal static class ColumnsGpu
{
    private const int GroupSize = GpuElementwise.GroupSize;
    private const int LeastRows = 32;
    private const int MostBlocks = 64;

    private static readonly GpuKernel<BiasArguments> Bias = new(AddBias);
    private static readonly GpuKernel<ColumnArguments> Tiles = new(SumTiles);
    private static readonly GpuKernel<ColumnArguments> Blocks = new(SumBlocks);

    /// <summary>y = x + bias.</summary>
    public static void AddBias(GpuDevice gpu, Tensor x, Tensor bias, Tensor y) =>
        Bias.Launch(gpu, GpuElementwise.Groups(x.Length), GroupSize, new BiasArguments
        {
            X = gpu.Read(x),
            Bias = gpu.Read(bias),
            Y = gpu.Write(y),
            Length = x.Length,
            Columns = x.Columns,
        });

    /// <summary>sums (+)= the sums of the columns of x.</summary>
    public static void AddSums(GpuDevice gpu, Tensor x, Tensor sums, bool fresh)
    {
        int size = RowsOfBlock(x.Rows);
        int blocks = RowBlocks.Count(x.Rows, size);
        Tensor partial = Tape.NewTensor(new Shape(Math.Max(1, blocks), x.Columns));
        ColumnArguments arguments = new() { X = gpu.Read(x), Y = gpu.Write(partial), Rows = x.Rows, Columns = x.Columns, RowsOfBlock = size };
        Tiles.Launch(gpu, new Index3D(GpuElementwise.Groups(x.Columns), blocks, 1), new Index3D(GroupSize, 1, 1), arguments);
        AddBlocks(gpu, arguments.Y, blocks, sums, fresh);
    }

    /// <summary>sums (+)= the rows of partial sums, [blocks, C], in their order.</summary>
    public static void AddBlocks(GpuDevice gpu, ArrayView<float> partial, int blocks, Tensor sums, bool fresh) =>
        Blocks.Launch(gpu, GpuElementwise.Groups(sums.Length), GroupSize, new ColumnArguments
        {
            X = partial,
            Y = gpu.Sink(sums, fresh),
            Rows = blocks,
            Columns = sums.Length,
            Fresh = fresh ? 1 : 0,
        });

    /// <summary>How many rows one group adds up.</summary>
    public static int RowsOfBlock(int rows) => Math.Max(LeastRows, (rows + MostBlocks - 1) / MostBlocks);

    internal static void AddBias(BiasArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            a.Y[i] = a.X[i] + a.Bias[i % a.Columns];
        }
    }

    internal static void SumTiles(ColumnArguments a)
    {
        int column = Grid.GlobalIndex.X;
        if (column < a.Columns)
        {
            int first = Grid.IdxY * a.RowsOfBlock;
            int end = IntrinsicMath.Min(a.Rows, first + a.RowsOfBlock);
            float sum = 0;
            for (int row = first; row < end; row++)
            {
                sum += a.X[((long)row * a.Columns) + column];
            }

            a.Y[((long)Grid.IdxY * a.Columns) + column] = sum;
        }
    }

    internal static void SumBlocks(ColumnArguments a)
    {
        int column = Grid.GlobalIndex.X;
        if (column < a.Columns)
        {
            float sum = 0;
            for (int block = 0; block < a.Rows; block++)
            {
                sum += a.X[((long)block * a.Columns) + column];
            }

            a.Y[column] = a.Fresh != 0 ? sum : a.Y[column] + sum;
        }
    }
}

/// <summary>Of <see cref="ColumnsGpu.AddBias(BiasArguments)"/>.</summary>
internal struct BiasArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Bias;
    public ArrayView<float> Y;
    public int Length;
    public int Columns;
}

/// <summary>Of the sums of <see cref="ColumnsGpu"/>.</summary>
internal struct ColumnArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Y;
    public int Rows;
    public int Columns;
    public int RowsOfBlock;
    public int Fresh;
}
