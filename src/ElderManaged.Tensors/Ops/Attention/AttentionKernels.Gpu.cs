using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <summary>The kernels of <see cref="AttentionGpu"/>.</summary>
/// <remarks>
/// <code>
///     256 threads, 16 × 16: thread (r, o) has rows 4r … 4r + 3
///
///      64 positions, each thread four          128 columns, each thread twice four
///         ┌──────────────┐                            ┌──────────────┐
///   64    │ q·kᵀ: sums in│   weights in shared   64   │ w·v: sums in │    v goes through shared memory 16 positions at a time,
///  rows   │ 16 registers │ ──────memory───────→ rows  │ 32 registers │    q and k 16 columns at a time
///         └──────────────┘                            └──────────────┘
/// </code>
/// <para>
/// A block of 64 rows and 64 positions reads 3·64·D numbers (q, k, v) for 4·64·64·D operations, 21 for a byte of global memory; dq reads
/// 5·64·D for 6·64·64·D (19 a byte), dk and dv 6·64·D for 8·64·64·D (21 a byte). A thread reads eight numbers of shared memory
/// in two accesses of 128 bits for 16 multiply-adds of q·kᵀ, and twelve in three for 32 of w·v.
/// </para>
/// <para>
/// Heads wider than 128 columns have a group for each 128 of them, which makes the scores again. Blocks of positions begin at multiples of 64
/// counted from position 0, each score is one chain over the columns and each sum one over the positions, and what a row does not
/// see is left out: so its bits depend on its own sequence up to its position only.
/// </para>
/// </remarks>
internal static partial class AttentionGpuKernels
{
    public const int GroupSize = 256;

    /// <summary>Rows and positions of a block.</summary>
    public const int Tile = 64;

    /// <summary>Columns of a result that a group computes.</summary>
    public const int Part = 128;

    /// <summary>Columns of queries and keys in shared memory at a time, and positions of values.</summary>
    internal const int Depth = 16;

    /// <summary>From one column to the next there: a margin, so that threads that write down a column meet different banks.</summary>
    internal const int Stride = Tile + 4;

    /// <summary>The same in <see cref="Float4"/>.</summary>
    internal const int Fours = Stride / 4;

    private const int Slice = Depth * Stride;

    public static readonly GpuKernel<AttentionArguments> Forward = new(Values);
    public static readonly GpuKernel<AttentionArguments> Means = new(RowMeans);
    public static readonly GpuKernel<AttentionArguments> Queries = new(QuerySlopes);
    public static readonly GpuKernel<AttentionArguments> KeysAndValues = new(KeySlopes);

    /// <summary>y = softmax(q·kᵀ/√D)·v, the softmax made as positions go by: when a larger score is found, what was summed is scaled down.</summary>
    internal static void Values(AttentionArguments a)
    {
        ArrayView<float> staged = SharedMemory.Allocate<float>(2 * Slice);
        ArrayView<float> shared = SharedMemory.Allocate<float>(Tile * Stride);
        ArrayView<Float4> stagedFours = staged.Cast<Float4>();
        ArrayView<Float4> weights = shared.Cast<Float4>();
        AttentionTask task = new(a.Tasks, Grid.IdxX);
        int head = Grid.IdxY;
        int kvHead = head / (a.Heads / a.KvHeads);
        int r = Group.IdxX >> 4, o = Group.IdxX & 15;
        int column = (Grid.IdxZ * Part) + (4 * o);
        bool far = a.Width - (Grid.IdxZ * Part) > Part / 2;
        int first = task.First + (4 * r);
        bool live = first < task.Length;
        int end = task.Past + XMath.Min(task.First + Tile, task.Length);

        // What the thread brings to shared memory: four columns of one row.
        int stagedRow = Group.IdxX >> 2, stagedColumn = 4 * (Group.IdxX & 3);
        long query = task.Row(task.First + stagedRow, a.Heads, head, a.Width);
        int queryWidth = task.First + stagedRow < task.Length ? a.Width : 0;

        SumTile y = default;
        Float4 sum = default, largest = new(float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity);
        for (int block = 0; block < end; block += Tile)
        {
            ProductTile scores = default;
            int position = block + stagedRow;
            ArrayView<float> keys = position < task.Past ? a.PastK : a.K;
            long key = position < end ? task.Position(position, a, kvHead) : 0;
            int keyWidth = position < end ? a.Width : 0;
            for (int c = stagedColumn; c - stagedColumn < a.Width; c += Depth)
            {
                StageTurned(a.Q, query, queryWidth - c, c, a.Aligned, staged);
                StageTurned(keys, key, keyWidth - c, c, a.Aligned, staged.SubView(Slice, Slice));
                Group.Barrier();
                if (live)
                {
                    scores.AddColumns(stagedFours, stagedFours.SubView(Slice / 4, Slice / 4), r, o);
                }

                Group.Barrier();
            }

            // The first of the thread's rows sees positions below this one of the block, the others one more each.
            int seen = task.Past + first + 1 - block;
            scores.First = Seen(scores.First * a.Scale, seen - (4 * o));
            scores.Second = Seen(scores.Second * a.Scale, seen - (4 * o) - 1);
            scores.Third = Seen(scores.Third * a.Scale, seen - (4 * o) - 2);
            scores.Fourth = Seen(scores.Fourth * a.Scale, seen - (4 * o) - 3);
            stagedFours[(o * Fours) + r] = Float4.Max(Float4.Max(scores.First, scores.Second), Float4.Max(scores.Third, scores.Fourth));
            Group.Barrier();
            Float4 before = largest;
            for (int other = 0; other < Depth; other++)
            {
                largest = Float4.Max(largest, stagedFours[(other * Fours) + r]);
            }

            Float4 shrink = block == 0 ? default : Float4.Exp(before - largest);
            sum *= shrink;
            y.Scale(shrink);
            scores.First = Float4.Exp(scores.First - largest);
            scores.Second = Float4.Exp(scores.Second - largest);
            scores.Third = Float4.Exp(scores.Third - largest);
            scores.Fourth = Float4.Exp(scores.Fourth - largest);
            scores.Publish(weights, r, o);
            Group.Barrier();
            for (int chunk = 0; chunk < Tile && block + chunk < end; chunk += Depth)
            {
                StageKeys(a, task, kvHead, block + chunk + r, end, column, stagedFours, values: true);
                Group.Barrier();
                if (live)
                {
                    int last = XMath.Min(chunk + Depth, XMath.Min(seen + 3, end - block));
                    int j = chunk;
                    for (; j < XMath.Min(seen, last); j++)
                    {
                        Float4 weight = weights[(j * Fours) + r];
                        sum += weight;
                        y.Add(weight, stagedFours, ((j - chunk) * (Part / 4)) + o, 0, 4, far);
                    }

                    for (; j < last; j++)
                    {
                        Float4 weight = weights[(j * Fours) + r];
                        sum += weight;
                        y.Add(weight, stagedFours, ((j - chunk) * (Part / 4)) + o, j - seen + 1, 4, far);
                    }
                }

                Group.Barrier();
            }
        }

        if (live)
        {
            Float4 factor = new(1 / sum.X, 1 / sum.Y, 1 / sum.Z, 1 / sum.W);
            y.Scale(factor);
            y.Write(a.Out, task.Row(first, a.Heads, head, a.Width) + column, (long)a.Heads * a.Width, task.Length - first, a.Width - column, a.Aligned, 0);
            if (a.Keep != 0 && o == 0 && Grid.IdxZ == 0)
            {
                KeepStatistics(a, task, first, head, largest.X, factor.X);
                KeepStatistics(a, task, first + 1, head, largest.Y, factor.Y);
                KeepStatistics(a, task, first + 2, head, largest.Z, factor.Z);
                KeepStatistics(a, task, first + 3, head, largest.W, factor.W);
            }
        }
    }

    // Scores of four rows with one position: the first row sees it if seen is positive, the next ones if it is from 0, -1, -2 on.
    private static Float4 Seen(Float4 scores, int seen) => new(
        seen > 0 ? scores.X : float.NegativeInfinity,
        seen > -1 ? scores.Y : float.NegativeInfinity,
        seen > -2 ? scores.Z : float.NegativeInfinity,
        seen > -3 ? scores.W : float.NegativeInfinity);

    private static void KeepStatistics(AttentionArguments a, AttentionTask task, int row, int head, float largest, float factor)
    {
        if (row < task.Length)
        {
            long at = 2 * task.Row(row, a.Heads, head, 1);
            a.Statistics[at] = largest;
            a.Statistics[at + 1] = factor;
        }
    }
}
