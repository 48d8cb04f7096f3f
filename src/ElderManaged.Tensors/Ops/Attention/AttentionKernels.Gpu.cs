using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <summary>The kernels of <see cref="AttentionGpu"/>.</summary>
/// <remarks>
/// <code>
///    256 threads = 16 rows × 16 lanes, heads up to 128 wide   (or 8 rows × 32 lanes, up to 256 wide)
///
///    block of q    [rows × D]  ┐                                     thread (r, l):  score of row r with position l of the block,
///    block of k, v [rows × D]  ┘ in shared memory, rows padded                       then the columns l, l + lanes, … of row r's sum
/// </code>
/// A block of 16 rows uses each number of k and v that it reads 16 times: 4·16·D operations for each position's 8·D bytes, 8 a byte.
/// Blocks of positions begin at multiples of their size counted from position 0, and what a row does not see is skipped, so its bits
/// depend on its own sequence up to its position only.
/// </remarks>
internal static partial class AttentionGpuKernels
{
    public const int GroupSize = 256;
    public const int TaskSize = 4;

    /// <summary>The widest head for 16 lanes a row, of which each sums 8 columns.</summary>
    public const int NarrowWidth = 128;

    private const int MaxRows = 16;
    private const int ScoreStride = MaxRows + 1;

    // 16 rows of 128 or 8 of 256, each with one more so that a column's numbers lie in different banks.
    private const int TileRoom = MaxRows * (NarrowWidth + 1);

    public static readonly GpuKernel<AttentionArguments> Forward = new(Values);
    public static readonly GpuKernel<AttentionArguments> Means = new(RowMeans);
    public static readonly GpuKernel<AttentionArguments> Queries = new(QuerySlopes);
    public static readonly GpuKernel<AttentionArguments> KeysAndValues = new(KeySlopes);

    /// <summary>y = softmax(q·kᵀ/√D)·v, the softmax made as positions go by: when a larger score is found, what was summed is scaled down.</summary>
    internal static void Values(AttentionArguments a)
    {
        ArrayView<float> queries = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> keys = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> values = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> scores = SharedMemory.Allocate<float>(MaxRows * ScoreStride);
        int lanes = 1 << a.LaneBits;
        int rows = GroupSize >> a.LaneBits;
        int stride = (8 * lanes) + 1;
        int r = Group.IdxX >> a.LaneBits;
        int lane = Group.IdxX & (lanes - 1);
        int head = Grid.IdxY;
        int start = a.Tasks[TaskSize * Grid.IdxX];
        int length = a.Tasks[(TaskSize * Grid.IdxX) + 1];
        int first = a.Tasks[(TaskSize * Grid.IdxX) + 3];
        int past = a.Tasks[(TaskSize * Grid.IdxX) + 2];
        int kvHead = head / (a.Heads / a.KvHeads);
        int row = first + r;
        int lastSeen = row < length ? past + row : -1;
        long query = ((long)(start + row) * a.Heads + head) * a.Width;
        for (int c = lane; c < a.Width; c += lanes)
        {
            queries[(r * stride) + c] = row < length ? a.Q[query + c] : 0;
        }

        float y0 = 0, y1 = 0, y2 = 0, y3 = 0, y4 = 0, y5 = 0, y6 = 0, y7 = 0;
        float largest = float.NegativeInfinity, sum = 0;
        int end = past + XMath.Min(first + rows, length);
        for (int block = 0; block < end; block += rows)
        {
            int position = block + r;
            if (position < past)
            {
                long key = ((long)position * a.KvHeads + kvHead) * a.Width;
                for (int c = lane; c < a.Width; c += lanes)
                {
                    keys[(r * stride) + c] = a.PastK[key + c];
                    values[(r * stride) + c] = a.PastV[key + c];
                }
            }
            else
            {
                long key = ((long)(start + position - past) * a.KvHeads + kvHead) * a.Width;
                for (int c = lane; c < a.Width; c += lanes)
                {
                    keys[(r * stride) + c] = position < end ? a.K[key + c] : 0;
                    values[(r * stride) + c] = position < end ? a.V[key + c] : 0;
                }
            }

            Group.Barrier();
            if (lane < rows)
            {
                float score = 0;
                for (int c = 0; c < a.Width; c++)
                {
                    score = GpuMath.Fma(queries[(r * stride) + c], keys[(lane * stride) + c], score);
                }

                scores[(r * ScoreStride) + lane] = score * a.Scale;
            }

            Group.Barrier();
            int seen = XMath.Min(rows, lastSeen - block + 1);
            if (seen > 0)
            {
                float before = largest;
                for (int j = 0; j < seen; j++)
                {
                    float score = scores[(r * ScoreStride) + j];
                    largest = score <= largest ? largest : score;
                }

                float shrink = block == 0 ? 0 : XMath.Exp(before - largest);
                sum *= shrink;
                y0 *= shrink;
                y1 *= shrink;
                y2 *= shrink;
                y3 *= shrink;
                y4 *= shrink;
                y5 *= shrink;
                y6 *= shrink;
                y7 *= shrink;
                for (int j = 0; j < seen; j++)
                {
                    float weight = XMath.Exp(scores[(r * ScoreStride) + j] - largest);
                    sum += weight;
                    int at = (j * stride) + lane;
                    y0 = GpuMath.Fma(weight, values[at], y0);
                    y1 = GpuMath.Fma(weight, values[at + lanes], y1);
                    y2 = GpuMath.Fma(weight, values[at + (2 * lanes)], y2);
                    y3 = GpuMath.Fma(weight, values[at + (3 * lanes)], y3);
                    if (a.Width > 4 * lanes)
                    {
                        y4 = GpuMath.Fma(weight, values[at + (4 * lanes)], y4);
                        y5 = GpuMath.Fma(weight, values[at + (5 * lanes)], y5);
                        y6 = GpuMath.Fma(weight, values[at + (6 * lanes)], y6);
                        y7 = GpuMath.Fma(weight, values[at + (7 * lanes)], y7);
                    }
                }
            }

            Group.Barrier();
        }

        if (row < length)
        {
            float factor = 1 / sum;
            if (a.Keep != 0 && lane == 0)
            {
                long at = 2 * ((long)(start + row) * a.Heads + head);
                a.Statistics[at] = largest;
                a.Statistics[at + 1] = factor;
            }

            if (lane < a.Width)
            {
                a.Out[query + lane] = y0 * factor;
            }

            if (lane + lanes < a.Width)
            {
                a.Out[query + lane + lanes] = y1 * factor;
            }

            if (lane + (2 * lanes) < a.Width)
            {
                a.Out[query + lane + (2 * lanes)] = y2 * factor;
            }

            if (lane + (3 * lanes) < a.Width)
            {
                a.Out[query + lane + (3 * lanes)] = y3 * factor;
            }

            if (lane + (4 * lanes) < a.Width)
            {
                a.Out[query + lane + (4 * lanes)] = y4 * factor;
            }

            if (lane + (5 * lanes) < a.Width)
            {
                a.Out[query + lane + (5 * lanes)] = y5 * factor;
            }

            if (lane + (6 * lanes) < a.Width)
            {
                a.Out[query + lane + (6 * lanes)] = y6 * factor;
            }

            if (lane + (7 * lanes) < a.Width)
            {
                a.Out[query + lane + (7 * lanes)] = y7 * factor;
            }
        }
    }
}
