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
///         Those of past positions lie ready in their segment, own ones are turned here.
///   softmax: row by row.
///   ·v: 12 rows × 32 columns at a time, as deep as the last of the rows sees; first past values, where they lie, then own ones,
///       from panels [positions, 32], or, if they are few, where they lie.
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

    /// <summary>The rows of a part, while what the <paramref name="next"/> part needs is fetched.</summary>
    public static void Run(in AttentionState state, in AttentionPart part, in AttentionPart next)
    {
        ref readonly AttentionSlice slice = ref part.Slice;
        int group = part.Group;
        int endRow = part.EndRow;

        // The only row of a sequence: its heads take the place of rows, and share one reading of keys and values.
        bool single = slice.Length == 1;
        int positions = slice.Past + endRow;
        nint stride = AttentionSoftmax.Stride(positions);
        int fitting = (int)(ScoreRoom / stride) / GemmKernels.MaxRows * GemmKernels.MaxRows;
        int blockRows = single ? group : Math.Min(Math.Clamp(fitting, GemmKernels.MaxRows, MaxBlockRows), part.Rows);
        bool keep = group > 1 || part.Rows > blockRows;
        int panels = (endRow + Panel - 1) / Panel;
        int width = slice.Width;
        int padded = AttentionTiles.PanelsWidth(width);

        // Few values, if whole registers of them, are not worth packing.
        bool inPlace = single || (endRow * group <= AttentionPacking.FewRows && width % 16 == 0);
        nint keyRoom = single ? 0 : (keep ? panels : 1) * (nint)width * Panel;
        nint valueRoom = inPlace ? 0 : (nint)endRow * padded;
        nint queryRoom = single ? 0 : ((nint)blockRows * width) + 15 & -16;
        float* scratch = AttentionScratch.Rent((blockRows * stride) + keyRoom + valueRoom + queryRoom + (blockRows * (nint)(padded + 2)));
        Work work = new()
        {
            Level = state.Level,
            Stride = stride,
            Width = width,
            Padded = padded,
            Keep = keep,
            Scores = scratch,
            Keys = scratch += blockRows * stride,
            Values = inPlace ? null : scratch + keyRoom,
            Queries = scratch += keyRoom + valueRoom,
            Out = scratch += queryRoom,
            Statistics = scratch + ((nint)blockRows * padded),
            ValuePlane = (nint)endRow * Panel,
        };

        float* q = state.Q.Pointer;
        float* y = state.Y.Pointer;
        int endHead = part.FirstHead + (single ? 1 : group);
        for (int head = part.FirstHead; head < endHead; head++)
        {
            for (int first = part.FirstRow; first < endRow; first += blockRows)
            {
                AttentionRows rows = single ? new(group, positions, 0) : new(Math.Min(blockRows, endRow - first), slice.Past + first + 1, 1);
                nint at = part.At(first, head);
                work.Ahead.Clear();
                if (first + blockRows < endRow)
                {
                    work.Expect(q, y, part.At(first + blockRows, head), slice, Math.Min(blockRows, endRow - first - blockRows));
                }
                else if (head + 1 < endHead)
                {
                    work.Expect(q, y, part.At(part.FirstRow, head + 1), slice, Math.Min(blockRows, part.Rows));
                }
                else if (next.Rows > 0)
                {
                    work.Expect(q, y, next, Math.Min(MaxBlockRows, next.Rows));
                }

                if (single)
                {
                    work.ScoreHeads(slice, rows, q + at);
                }
                else
                {
                    work.Score(slice, rows, q + at, slice.QueryStride);
                }

                AttentionSoftmax.Weights(state.Level, work.Scores, stride, rows, state.Factor, work.Statistics);
                if (state.Statistics is { } saved)
                {
                    Save(work.Statistics, rows.Count, saved.Pointer + ((((slice.Start + first) * state.Heads) + head) * 2), single ? 2 : 2 * state.Heads);
                }

                if (single)
                {
                    work.MixHeads(slice, rows, y + at);
                }
                else
                {
                    work.Mix(slice, rows, y + at);
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
        public int Padded;          // the width of whole panels
        public nint ValuePlane;     // from one panel of own values to the next
        public bool Keep;           // panels of own keys are used again by a later block
        public float* Scores;
        public float* Keys;         // own ones
        public float* Values;       // own ones; null: they are read where they lie
        public float* Queries;      // the block's rows of q
        public float* Out;          // rows of y before their division
        public float* Statistics;
        public AttentionAhead Ahead;
        private int packedKeys, packedValues;

        /// <summary>The next block of rows will be wanted: its queries, and where its results go.</summary>
        public void Expect(float* q, float* y, nint at, in AttentionSlice slice, int rows)
        {
            Ahead.Add(q + at, slice.QueryStride, rows, Width);
            Ahead.Add(y + at, slice.QueryStride, rows, Width);
        }

        /// <summary>The next part will be wanted.</summary>
        public void Expect(float* q, float* y, in AttentionPart next, int rows)
        {
            ref readonly AttentionSlice slice = ref next.Slice;
            nint at = next.At(next.FirstRow, next.FirstHead);
            int columns = slice.Length == 1 ? next.Group * Width : Width;
            Ahead.Add(q + at, slice.QueryStride, rows, columns);
            Ahead.Add(slice.PastKeys(0), Panel, slice.Past > 0 ? Width : 0, Panel);
            Ahead.Add(slice.OwnKeys, slice.KeyStride, next.EndRow, Width);
            Ahead.Add(slice.PastValues, slice.KeyStride, slice.Past, Width);
            Ahead.Add(slice.OwnValues, slice.KeyStride, next.EndRow, Width);
            Ahead.Add(y + at, slice.QueryStride, rows, columns);
        }

        public void Score(in AttentionSlice slice, in AttentionRows rows, float* q, nint rowStep)
        {
            // Queries that many panels read are worth a copy.
            int positions = rows.Seen(rows.Count - 1);
            if (positions > AttentionPacking.FewRows)
            {
                AttentionPacking.Close(q, rowStep, Width, rows.Count, Queries);
                q = Queries;
                rowStep = Width;
            }

            for (int first = 0; first < slice.Past; first += Panel)
            {
                AttentionTiles.Scores(Level, rows, q, rowStep, Width, slice.PastKeys(first), first, slice.Past, Scores, Stride, ref Ahead);
            }

            int own = positions - slice.Past;
            for (int first = 0; first < own; first += Panel)
            {
                float* panel = Keys + (Keep ? (nint)first * Width : 0);
                if (first >= packedKeys)
                {
                    AttentionPacking.Turned(slice.OwnKeys + (first * slice.KeyStride), slice.KeyStride, Width, slice.Length - first, panel);
                    packedKeys = Keep ? first + Panel : 0;
                }

                AttentionTiles.Scores(Level, rows, q, rowStep, Width, panel, slice.Past + first, slice.Past + own, Scores, Stride, ref Ahead);
            }
        }

        /// <summary>y = weights · values / sum, in tiles.</summary>
        public void Mix(in AttentionSlice slice, in AttentionRows rows, float* y)
        {
            int own = rows.Seen(rows.Count - 1) - slice.Past;
            if (Values != null && own > packedValues)
            {
                AttentionPacking.Rows(
                    slice.OwnValues + (packedValues * slice.KeyStride), slice.KeyStride, Width, own - packedValues, Values + ((nint)packedValues * Panel), ValuePlane);
                packedValues = own;
            }

            AttentionVectorRows past = new(slice.PastValues, slice.KeyStride, Panel, slice.Past);
            AttentionVectorRows last = Values == null
                ? new(slice.OwnValues, slice.KeyStride, Panel, own)
                : new(Values, Panel, ValuePlane, own);
            AttentionTiles.Mix(Level, Scores, Stride, rows, past, last, Width, Out, ref Ahead);
            AttentionVectors.Scaled(Out, Padded, Width, rows.Count, Statistics + 1, 2, y, slice.QueryStride);
        }

        /// <summary>Scores of the heads of a sequence's only row, which lie side by side in q.</summary>
        public void ScoreHeads(in AttentionSlice slice, in AttentionRows heads, float* q)
        {
            int first = 0;
            for (; heads.Count == 1 && first <= slice.Past - (4 * Panel); first += 4 * Panel)
            {
                AttentionVectors.FourPanels(Level, q, Width, slice.PastKeys(first), Panel * slice.KeyStride, Scores + first);
            }

            for (; first < slice.Past; first += Panel)
            {
                // The heads of a group read one panel, while the next one is fetched, and at last what the next part needs.
                AttentionAhead panel = default;
                panel.Add(slice.PastKeys(first + Panel), Panel, Width, Panel);
                ref AttentionAhead ahead = ref (first + Panel < slice.Past ? ref panel : ref Ahead);
                AttentionTiles.Scores(Level, heads, q, Width, Width, slice.PastKeys(first), first, slice.Past, Scores, Stride, ref ahead);
            }

            // Its own key.
            for (int h = 0; h < heads.Count; h++)
            {
                float score = 0;
                for (int c = 0; c < Width; c++)
                {
                    score = MathF.FusedMultiplyAdd(q[(h * Width) + c], slice.OwnKeys[c], score);
                }

                Scores[(h * Stride) + slice.Past] = score;
            }
        }

        /// <summary>y = weights · values / sum for the heads of a sequence's only row, which lie side by side in y: values are read where they lie.</summary>
        public readonly void MixHeads(in AttentionSlice slice, in AttentionRows heads, float* y)
        {
            const int together = 64; // values that stay in the first-level cache for all heads
            new Span<float>(y, heads.Count * Width).Clear();
            int step = heads.Count == 1 ? slice.Past + 1 : together;
            for (int first = 0; first <= slice.Past;)
            {
                int count = Math.Min(step, (first < slice.Past ? slice.Past : slice.Past + 1) - first);
                for (int h = 0; h < heads.Count; h++)
                {
                    AttentionVectors.AddCombination(Level, y + (h * Width), Width, Scores + (h * Stride) + first, slice.Value(first), slice.KeyStride, count);
                }

                first += count;
            }

            AttentionVectors.Scaled(y, Width, Width, heads.Count, Statistics + 1, 2, y, Width);
        }
    }
}
