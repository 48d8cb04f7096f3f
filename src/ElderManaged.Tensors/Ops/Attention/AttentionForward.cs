using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>Forward: y = softmax(q·kᵀ/√D)·v for a block of rows of one head after the other.</summary>
/// <remarks>
/// <code>
///            positions →                          D
///          ┌────┬────┬────┬────┐               ┌─────┐      A block of rows (up to 48) has all its scores at once, in the
///   rows   │ 12 rows × 32 positions            │     │      second-level cache: no running maximum, no rescaling.
///    ↓     ├────┼────┼──╲─┼────┤        · v  = │  y  │      Tiles above the diagonal are left out.
///          │    │    │    │╲   │               │     │
///          └────┴────┴────┴────┘               └─────┘
///   q·kᵀ: tile by tile, D deep, from panels [D, 32] of transposed keys, which stay in the first-level cache for all rows.
///   softmax: row by row.
///   ·v: 12 rows × 32 columns at a time, as deep as the last of the rows sees, from panels [positions, 32] of values.
/// </code>
/// A score is one chain of fused multiply-adds along D, an element of y one along the positions. Tiles never cut these chains, so a
/// row has the same bits in any tile and block, and with its keys in a past segment as among its own.
/// </remarks>
internal static unsafe class AttentionForward
{
    private const int Panel = AttentionPacking.Panel;

    // A block's scores: 64 Ki floats are 256 KB of the second-level cache.
    private const int ScoreRoom = 64 * 1024;
    private const int MaxBlockRows = 4 * GemmKernels.MaxRows;

    /// <summary>Rows <paramref name="firstRow"/> to before <paramref name="endRow"/> of a sequence, for <paramref name="group"/> heads from <paramref name="firstHead"/> on.</summary>
    public static void Run(in AttentionState state, in AttentionSlice slice, int firstHead, int group, int firstRow, int endRow)
    {
        // The only row of a sequence: its heads take the place of rows, and share one reading of keys and values.
        bool single = slice.Length == 1;
        int positions = slice.Past + endRow;
        nint stride = AttentionSoftmax.Stride(positions);
        int blockRows = single ? group : (int)Math.Min(Math.Clamp(ScoreRoom / stride / GemmKernels.MaxRows * GemmKernels.MaxRows, GemmKernels.MaxRows, MaxBlockRows), endRow - firstRow);
        bool keep = !single && (group > 1 || endRow - firstRow > blockRows);
        int panels = (positions + Panel - 1) / Panel;
        int width = slice.Width;
        int columnTiles = (width + Panel - 1) / Panel;
        nint plane = (nint)positions * Panel;

        long room = (blockRows * stride) + ((keep ? panels : 1) * (long)width * Panel) + (single ? 0 : columnTiles * plane)
            + (blockRows * (long)columnTiles * Panel) + (2 * blockRows) + 16 + ((long)blockRows * width);
        float* scratch = AttentionScratch.Rent(room);
        Work work = new()
        {
            Level = state.Level,
            Stride = stride,
            Width = width,
            ColumnTiles = columnTiles,
            Plane = plane,
            Keep = keep,
            Scores = scratch,
            Keys = scratch += blockRows * stride,
            Values = scratch += (keep ? panels : 1) * (nint)width * Panel,
            Queries = scratch += single ? 0 : columnTiles * plane,
            Out = scratch += ((nint)blockRows * width) + 15 & -16,
            Statistics = scratch + (blockRows * columnTiles * Panel),
        };

        for (int head = firstHead; head < firstHead + (single ? 1 : group); head++)
        {
            for (int first = firstRow; first < endRow; first += blockRows)
            {
                AttentionRows rows = single ? new(group, positions, 0) : new(Math.Min(blockRows, endRow - first), slice.Past + first + 1, 1);
                nint rowStep = single ? width : slice.QueryStride;
                nint at = ((slice.Start + first) * slice.QueryStride) + ((nint)head * width);
                work.Score(slice, rows, state.Q.Pointer + at, rowStep);
                AttentionSoftmax.Weights(state.Level, work.Scores, stride, rows, state.Factor, work.Statistics);
                if (state.Statistics is { } saved)
                {
                    Save(work.Statistics, rows.Count, saved.Pointer + ((((slice.Start + first) * state.Heads) + head) * 2), single ? 2 : 2 * state.Heads);
                }

                if (single)
                {
                    work.MixInPlace(slice, rows, state.Y.Pointer + at);
                }
                else
                {
                    work.Mix(slice, rows, state.Y.Pointer + at);
                }
            }
        }
    }

    private static void Save(float* statistics, int count, float* target, nint step)
    {
        for (int i = 0; i < count; i++)
        {
            target[0] = statistics[2 * i];
            target[1] = statistics[(2 * i) + 1];
            target += step;
        }
    }

    private struct Work
    {
        public SimdLevel Level;
        public nint Stride;         // from one row of scores to the next
        public int Width;
        public int ColumnTiles;
        public nint Plane;          // from one panel of values to the next
        public bool Keep;           // panels of keys are used again by a later block
        public float* Scores;
        public float* Keys;
        public float* Values;
        public float* Queries;      // the block's rows of q
        public float* Out;          // rows of y before their division
        public float* Statistics;
        private int packedKeys, packedValues;

        public void Score(in AttentionSlice slice, in AttentionRows rows, float* q, nint rowStep)
        {
            int end = rows.Seen(rows.Count - 1);
            if (rows.Count > 1 && end > Panel)
            {
                AttentionPacking.Close(q, rowStep, Width, rows.Count, Queries);
                q = Queries;
                rowStep = Width;
            }

            for (int first = 0; first < end; first += Panel)
            {
                float* panel = Keys + (Keep ? (nint)first * Width : 0);
                if (first >= packedKeys)
                {
                    AttentionPacking.Transposed(slice, values: false, first, slice.Past + slice.Length, panel);
                    packedKeys = first + Panel;
                }

                AttentionTiles.Scores(Level, rows, q, rowStep, Width, panel, first, Scores, Stride);
            }
        }

        /// <summary>y = weights · values / sum, in tiles.</summary>
        public void Mix(in AttentionSlice slice, in AttentionRows rows, float* y)
        {
            int end = rows.Seen(rows.Count - 1);
            AttentionPacking.Rows(slice, values: true, packedValues, end, Values, Plane);
            packedValues = Math.Max(packedValues, end);
            AttentionTiles.Mix(Level, Scores, Stride, rows, Values, Plane, Width, Out);
            for (int i = 0; i < rows.Count; i++)
            {
                AttentionVectors.Scaled(Level, Out + (i * ColumnTiles * Panel), Width, Statistics[(2 * i) + 1], y + (i * slice.QueryStride));
            }
        }

        /// <summary>The same for the only row of a sequence, its heads side by side in y: values are read where they lie.</summary>
        public void MixInPlace(in AttentionSlice slice, in AttentionRows rows, float* y)
        {
            const int together = 64; // values that stay in the first-level cache for all heads
            new Span<float>(y, rows.Count * Width).Clear();
            int end = rows.First;
            for (int first = 0; first < end;)
            {
                int count = Math.Min(together, (first < slice.Past ? slice.Past : end) - first);
                for (int h = 0; h < rows.Count; h++)
                {
                    AttentionVectors.AddCombination(Level, y + (h * Width), Width, Scores + (h * Stride) + first, slice.Value(first), slice.KeyStride, count);
                }

                first += count;
            }

            for (int h = 0; h < rows.Count; h++)
            {
                AttentionVectors.Scaled(Level, y + (h * Width), Width, Statistics[(2 * h) + 1], y + (h * Width));
            }
        }
    }
}
