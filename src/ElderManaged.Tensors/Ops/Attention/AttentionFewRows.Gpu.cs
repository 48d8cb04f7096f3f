using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <summary>Attention of a few rows after a long past, as when text is generated: blocks of 64 rows would be empty.</summary>
/// <remarks>
/// <code>
///   a group of 256 threads for each row and head, 256 positions at a time
///
///     thread = position:  score = q·k, one chain over the columns   ─┐  shared memory: 256 scores, 256 weights,
///     thread = column:    y = Σ w·v, one chain over the positions   ←┘  the largest score up to each block of 64
/// </code>
/// Scores, weights and sums are made in the order of <see cref="AttentionGpuKernels.Values"/>, blocks of 64 positions included, so a row's
/// bits are the same in either kernel. Every number of k and v is read once for each head that uses it, for two operations: half an
/// operation for a byte.
/// </remarks>
internal static partial class AttentionGpuKernels
{
    /// <summary>Where no sequence has more rows than this, each row has groups of its own.</summary>
    public const int FewRows = 4;

    public static readonly GpuKernel<AttentionArguments> ForwardFewRows = new(RowValues);

    /// <inheritdoc cref="Values"/>
    internal static void RowValues(AttentionArguments a)
    {
        ArrayView<float> scores = SharedMemory.Allocate<float>(GroupSize);
        ArrayView<float> weights = SharedMemory.Allocate<float>(GroupSize);
        ArrayView<float> maxima = SharedMemory.Allocate<float>(GroupSize / Tile);
        AttentionTask task = new(a.Tasks, Grid.IdxX);
        int head = Grid.IdxY;
        int kvHead = head / (a.Heads / a.KvHeads);
        int thread = Group.IdxX;
        int column = (Grid.IdxZ * GroupSize) + thread;
        int end = task.Past + task.First + 1;
        long query = task.Row(task.First, a.Heads, head, a.Width);
        float y = 0, sum = 0, largest = float.NegativeInfinity;
        for (int chunk = 0; chunk < end; chunk += GroupSize)
        {
            int count = XMath.Min(GroupSize, end - chunk);
            float score = thread < count ? Score(a, task, query, chunk + thread, kvHead) : float.NegativeInfinity;
            Group.Barrier(); // nobody reads the weights before any more
            scores[thread] = score;
            Group.Barrier();
            float most = largest;
            for (int i = 0; i < (thread / Tile * Tile) + Tile; i++)
            {
                most = Larger(most, scores[i]);
            }

            weights[thread] = XMath.Exp(score - most);
            if (thread % Tile == 0)
            {
                maxima[thread / Tile] = most;
            }

            Group.Barrier();
            for (int block = 0; block < count; block += Tile)
            {
                float before = largest;
                largest = maxima[block / Tile];
                float shrink = chunk + block == 0 ? 0 : XMath.Exp(before - largest);
                sum *= shrink;
                y *= shrink;
                for (int j = block; j < XMath.Min(block + Tile, count); j++)
                {
                    float weight = weights[j];
                    sum += weight;
                    y = GpuMath.Fma(weight, column < a.Width ? Value(a, task, chunk + j, kvHead, column) : 0, y);
                }
            }
        }

        float factor = 1 / sum;
        if (column < a.Width)
        {
            a.Out[query + column] = y * factor;
        }

        if (a.Keep != 0 && column == 0)
        {
            KeepStatistics(a, task, task.First, head, largest, factor);
        }
    }

    private static float Score(AttentionArguments a, AttentionTask task, long query, int position, int kvHead)
    {
        bool past = position < task.Past;
        long key = task.Position(position, a, kvHead);
        float sum = 0;
        for (int c = 0; c < a.Width; c += 4)
        {
            Float4 q = Float4.LoadRow(a.Q, query + c, a.Width - c, a.Aligned);
            Float4 k = Float4.LoadRow(past ? a.PastK : a.K, key + c, a.Width - c, a.Aligned);
            sum = GpuMath.Fma(k.W, q.W, GpuMath.Fma(k.Z, q.Z, GpuMath.Fma(k.Y, q.Y, GpuMath.Fma(k.X, q.X, sum))));
        }

        return sum * a.Scale;
    }

    private static float Value(AttentionArguments a, AttentionTask task, int position, int kvHead, int column)
    {
        long at = task.Position(position, a, kvHead) + column;
        return position < task.Past ? a.PastV[at] : a.V[at];
    }

    // As Float4.Max.
    private static float Larger(float a, float b) => b <= a ? a : b;
}
