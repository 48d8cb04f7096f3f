using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// Forward for a few rows of a sequence, as in generation, where a row for each lane would leave most lanes empty. The bits are those of
/// <see cref="AttentionForward"/>.
/// </summary>
/// <remarks>
/// Scores lie row by row, so here positions are the lanes: largest scores and sums are joined across a register. Sums run in sixteen lanes
/// whatever the width of the registers. If there is a single row, the heads that share a key/value head take the place of rows, and share one
/// reading of keys and values.
/// </remarks>
internal static unsafe class AttentionFewRows
{
    /// <summary>Rows of a sequence up to which this is the faster way.</summary>
    public const int Most = 8;

    private const int Panel = AttentionPacking.Panel;

    /// <summary>The rows of a part, while what is wanted <paramref name="ahead"/> is fetched.</summary>
    public static void Run(in AttentionState state, in AttentionPart part, ref AttentionAhead ahead)
    {
        ref readonly AttentionSlice slice = ref part.Slice;
        bool single = slice.Length == 1;
        int rows = single ? part.Group : part.Rows;
        int width = slice.Width;
        int padded = AttentionTiles.PanelsWidth(width);
        nint stride = Stride(slice.Past + part.EndRow);
        float* scores = AttentionScratch.Rent((rows * (stride + padded + 2)) + (Panel * (width + padded)));
        float* keys = scores + (rows * stride);
        float* values = keys + (Panel * width);
        float* result = values + (Panel * padded);
        float* statistics = result + (rows * padded);
        int endHead = single ? part.FirstHead + 1 : part.FirstHead + part.Group;
        if (!single)
        {
            AttentionPacking.Turned(slice.OwnKeys, slice.KeyStride, width, part.EndRow, keys);
            AttentionPacking.Rows(slice.OwnValues, slice.KeyStride, width, part.EndRow, values, Most * Panel);
        }

        for (int head = part.FirstHead; head < endHead; head++)
        {
            nint at = part.At(part.FirstRow, head);
            float* q = state.Q.Pointer + at;
            float* y = state.Y.Pointer + at;
            int seen = slice.Past + part.FirstRow + 1;
            int more = single ? 0 : 1; // positions that each next row sees
            PastScores(state.Level, slice, rows, q, single ? width : slice.QueryStride, scores, stride, ref ahead);
            if (single)
            {
                OwnScores(slice, rows, q, scores, stride);
            }
            else
            {
                AttentionTiles.RowScores(state.Level, q, rows, slice.QueryStride, width, keys, part.EndRow, scores + slice.Past, stride, ref ahead);
            }

            switch (state.Level)
            {
                case SimdLevel.Vector512: Weights<Lanes512, Vector512<float>>(scores, stride, rows, seen, more, state.Factor, statistics); break;
                case SimdLevel.Vector256: Weights<Lanes256, Vector256<float>>(scores, stride, rows, seen, more, state.Factor, statistics); break;
                case SimdLevel.Vector128: Weights<Lanes128, Vector128<float>>(scores, stride, rows, seen, more, state.Factor, statistics); break;
                default: Weights<Lanes1, float>(scores, stride, rows, seen, more, state.Factor, statistics); break;
            }

            if (state.Statistics is { } saved)
            {
                nint to = (((slice.Start + part.FirstRow) * state.Heads) + head) * 2;
                AttentionPacking.Copy(statistics, 2, 2, rows, saved.Pointer + to, single ? 2 : 2 * state.Heads);
            }

            if (single)
            {
                MixHeads(state.Level, slice, rows, scores, stride, statistics, y);
                continue;
            }

            AttentionVectorRows past = new(slice.PastValues, slice.KeyStride, Panel, slice.Past);
            AttentionVectorRows own = new(values, Panel, Most * Panel, part.EndRow);
            AttentionTiles.Mix(state.Level, scores, stride, 1, new(rows, seen), GemmKernels.MaxRows, past, own, width, result, padded, accumulate: false, ref ahead);
            if (!AttentionVectors.Scaled(result, padded, width, rows, statistics + 1, 2, y, slice.QueryStride))
            {
                // Perhaps only because a row multiplied by zero what it does not see.
                AttentionTiles.Mix(state.Level, scores, stride, 1, new(rows, seen), 1, past, own, width, result, padded, accumulate: false, ref ahead);
                AttentionVectors.Scaled(result, padded, width, rows, statistics + 1, 2, y, slice.QueryStride);
            }
        }
    }

    // Room for whole panels, and no power of two, which would fill few sets of the cache.
    private static int Stride(int positions)
    {
        int stride = (positions + (2 * Panel) - 1) & -Panel;
        return stride % 256 < 16 || stride % 256 > 240 ? stride + 16 : stride;
    }

    private static void PastScores(SimdLevel level, in AttentionSlice slice, int rows, float* q, nint step, float* scores, nint stride, ref AttentionAhead next)
    {
        int width = slice.Width;
        int first = 0;
        for (; rows == 1 && first <= slice.Past - (4 * Panel); first += 4 * Panel)
        {
            AttentionVectors.FourPanels(level, q, width, slice.PastKeys(first), Panel * slice.KeyStride, scores + first);
        }

        for (; first < slice.Past; first += Panel)
        {
            // All rows read one panel, while the next one is fetched, and at last what the next part needs.
            AttentionAhead panel = default;
            panel.Add(slice.PastKeys(first + Panel), Panel, width, Panel);
            ref AttentionAhead ahead = ref (first + Panel < slice.Past ? ref panel : ref next);
            AttentionTiles.RowScores(level, q, rows, step, width, slice.PastKeys(first), Math.Min(Panel, slice.Past - first), scores + first, stride, ref ahead);
        }
    }

    // A single row's scores with its own key.
    private static void OwnScores(in AttentionSlice slice, int heads, float* q, float* scores, nint stride)
    {
        int width = slice.Width;
        for (int h = 0; h < heads; h++)
        {
            float score = 0;
            for (int c = 0; c < width; c++)
            {
                score = MathF.FusedMultiplyAdd(q[(h * width) + c], slice.OwnKeys[c], score);
            }

            scores[(h * stride) + slice.Past] = score;
        }
    }

    // y = weights · values / sum, values read where they lie.
    private static void MixHeads(SimdLevel level, in AttentionSlice slice, int heads, float* weights, nint stride, float* statistics, float* y)
    {
        const int together = 64; // values that stay in the first-level cache for all heads
        int width = slice.Width;
        new Span<float>(y, heads * width).Clear();
        int step = heads == 1 ? slice.Past + 1 : together;
        for (int first = 0; first <= slice.Past;)
        {
            int count = Math.Min(step, (first < slice.Past ? slice.Past : slice.Past + 1) - first);
            for (int h = 0; h < heads; h++)
            {
                AttentionVectors.AddCombination(level, y + (h * width), width, weights + (h * stride) + first, slice.Value(first), slice.KeyStride, count);
            }

            first += count;
        }

        AttentionVectors.Scaled(y, width, width, heads, statistics + 1, 2, y, width);
    }

    // Scores become weights that are not yet divided by their sum; the largest score and the inverse of the sum go to the statistics.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weights<L, V>(float* scores, nint stride, int rows, int seen, int more, float factor, float* statistics)
        where L : struct, ILanes<V>
        where V : struct
    {
        float* lanes = stackalloc float[AttentionSoftmax.Chains];
        V f = L.Broadcast(factor);
        V least = L.Broadcast(AttentionSoftmax.Least / factor);
        for (int r = 0; r < rows; r++)
        {
            // What fills the last sixteen up is nothing to the maximum, and nothing to the sum. Tiles read zeros behind it.
            int positions = seen + (r * more);
            int whole = (positions + AttentionSoftmax.Chains - 1) & -AttentionSoftmax.Chains;
            Vector512<float>.Zero.Store(scores + whole);
            for (int p = positions; p < whole; p++)
            {
                scores[p] = float.NegativeInfinity;
            }

            float largest = Largest<L, V>(scores, whole, lanes);
            V down = L.Broadcast(largest);
            for (int lane = 0; lane < AttentionSoftmax.Chains; lane += L.Width)
            {
                V sum = L.Broadcast(0f);
                for (nint p = lane; p < whole; p += AttentionSoftmax.Chains)
                {
                    V w = AttentionSoftmax.Power<L, V>(L.Subtract(L.Load(scores + p), down), f, least);
                    L.Store(scores + p, w);
                    sum = L.Add(sum, w);
                }

                L.Store(lanes + lane, sum);
            }

            statistics[0] = largest;
            statistics[1] = 1 / Join(lanes);
            statistics += 2;
            scores += stride;
        }
    }

    // Over whole sixteens. The order does not matter to a maximum; what is not a number is passed over here and makes the sum not a number.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest<L, V>(float* x, int whole, float* lanes)
        where L : struct, ILanes<V>
        where V : struct
    {
        V a = L.Broadcast(float.NegativeInfinity);
        V b = a, c = a, d = a;
        int p = 0;
        for (; p <= whole - (4 * L.Width); p += 4 * L.Width)
        {
            a = L.Max(L.Load(x + p), a);
            b = L.Max(L.Load(x + p + L.Width), b);
            c = L.Max(L.Load(x + p + (2 * L.Width)), c);
            d = L.Max(L.Load(x + p + (3 * L.Width)), d);
        }

        for (; p < whole; p += L.Width)
        {
            a = L.Max(L.Load(x + p), a);
        }

        Vector512.Create(float.NegativeInfinity).Store(lanes);
        L.Store(lanes, L.Max(L.Max(a, b), L.Max(c, d)));
        Vector128<float> most = Lanes128.Max(Lanes128.Max(Vector128.Load(lanes), Vector128.Load(lanes + 4)), Lanes128.Max(Vector128.Load(lanes + 8), Vector128.Load(lanes + 12)));
        most = Lanes128.Max(most, Vector128.Shuffle(most, Vector128.Create(2, 3, 0, 1)));
        return Lanes128.Max(most, Vector128.Shuffle(most, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    // Sixteen lanes added by halving.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Join(float* lanes)
    {
        Vector128<float> sum = (Vector128.Load(lanes) + Vector128.Load(lanes + 8)) + (Vector128.Load(lanes + 4) + Vector128.Load(lanes + 12));
        sum += Vector128.Shuffle(sum, Vector128.Create(2, 3, 0, 1));
        return (sum + Vector128.Shuffle(sum, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
