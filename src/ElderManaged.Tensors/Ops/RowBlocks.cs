using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>Some consecutive rows: number <see cref="Block"/> of a fixed division, from <see cref="First"/> to before <see cref="End"/>.</summary>
internal readonly record struct RowBlock(int Block, int First, int End)
{
    public int Count => End - First;

    /// <summary>The elements of the block, where a tensor was divided as a column of single elements.</summary>
    public Span<float> Of(Tensor tensor) => tensor.Span.Slice(First, Count);
}

/// <summary>
/// Divides row-wise work into blocks whose size depends on the shape alone, never on the number of threads. So a sum over
/// rows that is taken block by block, and then over the blocks in order, has the same bits however many threads work.
/// </summary>
internal static class RowBlocks
{
    /// <summary>About this many elements make a block: 64 KiB, half of a typical second-level cache's share.</summary>
    private const int BlockElements = 16 * 1024;

    /// <summary>The elements of a block where each takes an exponential: a quarter of the usual.</summary>
    public const int BlockOfExponentials = 4 * 1024;

    /// <summary>With less work than this, waking another thread costs more than it saves.</summary>
    private const int MinimumBlocksForThreads = 3;

    private const int MaximumBlocksOfSums = 16;

    [ThreadStatic]
    private static FloatBuffer? t_scratch;

    /// <summary>The number of blocks of <paramref name="size"/> rows.</summary>
    public static int Count(int rows, int size) => (int)(((long)rows + size - 1) / size);

    /// <summary>The rows of a block of the usual size.</summary>
    public static int BlockRows(int columns) => Math.Max(1, BlockElements / Math.Max(1, columns));

    /// <summary>
    /// The rows of a block where every block leaves a row of partial sums behind: more of them, so that these sums, which one
    /// thread adds up, stay few.
    /// </summary>
    public static int RowsForSums(int rows, int columns) =>
        Math.Max(BlockRows(columns), (rows + MaximumBlocksOfSums - 1) / MaximumBlocksOfSums);

    /// <summary>
    /// Calls <paramref name="body"/> for every block of a matrix. Nothing is allocated when <paramref name="body"/> is a static
    /// lambda; tensors inside <paramref name="state"/> stay reachable meanwhile, so the body may use their pointers.
    /// </summary>
    public static void Run<TState>(int rows, int columns, TState state, Action<TState, RowBlock> body) =>
        RunOfSize(BlockRows(columns), rows, state, body);

    /// <summary>As <see cref="Run"/>, with blocks of <paramref name="size"/> rows.</summary>
    public static void RunOfSize<TState>(int size, int rows, TState state, Action<TState, RowBlock> body)
    {
        int blocks = Count(rows, size);
        if (blocks < MinimumBlocksForThreads)
        {
            for (int block = 0; block < blocks; block++)
            {
                body(state, Block(block, size, rows));
            }
        }
        else
        {
            CpuThreads.Run(blocks, (state, body, size, rows), static (s, block) => s.body(s.state, Block(block, s.size, s.rows)));
        }

        KeepReachable(in state);
    }

    /// <summary>to = from, shared by the threads in the way of all other ops, so that each finds its blocks in its cache afterwards.</summary>
    public static unsafe void Copy(ReadOnlySpan<float> from, Tensor to)
    {
        fixed (float* source = from)
        {
            RunOfSize(BlockElements, from.Length, (source: (nint)source, to), static (s, block) =>
                new ReadOnlySpan<float>((float*)s.source + block.First, block.Count).CopyTo(block.Of(s.to)));
        }
    }

    /// <summary>Floats for partial results, with undefined contents; valid until this thread asks again.</summary>
    public static FloatBuffer Scratch(int length)
    {
        if (t_scratch is null || t_scratch.Capacity < length)
        {
            t_scratch = new FloatBuffer(BufferPool.SizeClass(length), zeroed: false);
        }

        return t_scratch;
    }

    private static RowBlock Block(int block, int size, int rows) => new(block, block * size, (int)Math.Min(rows, (block + 1L) * size));

    // Taking the address of the state keeps what it refers to alive until here.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void KeepReachable<TState>(in TState state) => _ = state;
}
