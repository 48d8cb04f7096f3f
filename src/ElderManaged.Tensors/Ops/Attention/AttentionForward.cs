namespace ElderManaged.Tensors;

/// <summary>Forward: y = softmax(q·kᵀ/√D)·v for 32 rows of one head after the other.</summary>
/// <remarks>
/// <code>
///               32 rows of q →
///              ┌───────────────┐      The scores of 32 rows lie position by position, a row in each lane: the softmax never looks across a register.
///   positions  │ 12 positions  │      All of them at once, in the second-level cache: no running maximum, no rescaling.
///       ↓      │ × 32 rows     │
///              ├───────────────┤      kᵀ·q: tile by tile, D deep, from the rows turned to a panel [D, 32], which stays in the first-level cache.
///              │ ╲             │            Tiles below the diagonal are left out.
///              │    ╲          │      softmax: all rows side by side, going down.
///              └───────╲───────┘      ·v: 12 rows × 32 columns at a time, as deep as the last of the rows sees; first past values, then own ones.
/// </code>
/// Positions that all rows see go strip by strip (<see cref="AttentionStrips"/>), the last ones of the second product group by group (<see cref="AttentionTriangle"/>).
/// Keys and values are read where they lie if they are few; else copied together once for all rows and heads of a part.
/// A score is one chain of fused multiply-adds along D, an element of y one along the positions. Tiles never cut these chains, so a
/// row has the same bits in any tile and block, and with its keys in a past segment as among its own.
/// </remarks>
internal static unsafe class AttentionForward
{
    private const int Panel = AttentionPacking.Panel;

    /// <summary>The rows of a part, while what the <paramref name="next"/> part needs is fetched.</summary>
    public static void Run(in AttentionState state, in AttentionPart part, in AttentionPart next)
    {
        float* q = state.Q.Pointer;
        float* y = state.Y.Pointer;
        int endHead = part.FirstHead + part.Group;
        if (part.Slice.Length <= AttentionFewRows.Most)
        {
            AttentionAhead ahead = default;
            Expect(ref ahead, q, y, next);
            ahead.AddKeys(next, 0, 1);
            AttentionFewRows.Run(state, part, ref ahead);
            return;
        }

        ref readonly AttentionSlice slice = ref part.Slice;
        Work work = Prepare(state, part);
        int block = 0, blocks = part.Group * ((part.Rows + Panel - 1) / Panel);
        for (int head = part.FirstHead; head < endHead; head++)
        {
            for (int first = part.FirstRow; first < part.EndRow; first += Panel)
            {
                work.Ahead.Clear();
                int end = Math.Min(first + Panel, part.EndRow);
                if (end < part.EndRow)
                {
                    Expect(ref work.Ahead, q, y, part.At(end, head), slice, part.EndRow - end);
                }
                else if (head + 1 < endHead)
                {
                    Expect(ref work.Ahead, q, y, part.At(part.FirstRow, head + 1), slice, part.Rows);
                }
                else
                {
                    Expect(ref work.Ahead, q, y, next);
                }

                work.Ahead.AddKeys(next, block++, blocks);
                AttentionRows rows = new(end - first, slice.Past + first + 1);
                nint at = part.At(first, head);
                int known = work.Score(slice, rows, q + at);
                AttentionSoftmax.Weights(state.Level, work.Scores, Panel, rows, state.Factor, known, work.Largest, work.Over, work.Sums);
                if (state.Statistics is { } saved)
                {
                    work.Save(rows.Count, saved.Pointer + ((((slice.Start + first) * state.Heads) + head) * 2), 2 * state.Heads);
                }

                work.Mix(slice, rows, y + at);
            }
        }
    }

    // More rows will be wanted: their queries, and where their results go.
    private static void Expect(ref AttentionAhead ahead, float* q, float* y, nint at, in AttentionSlice slice, int rows)
    {
        ahead.Add(q + at, slice.QueryStride, Math.Min(Panel, rows), slice.Width);
        ahead.Add(y + at, slice.QueryStride, Math.Min(Panel, rows), slice.Width);
    }

    // The next part will be wanted, if there is one.
    private static void Expect(ref AttentionAhead ahead, float* q, float* y, in AttentionPart next)
    {
        if (next.Rows == 0)
        {
            return;
        }

        int columns = next.Slice.Length == 1 ? next.Group * next.Slice.Width : next.Slice.Width;
        nint at = next.At(next.FirstRow, next.FirstHead);
        ahead.Add(q + at, next.Slice.QueryStride, Math.Min(Panel, next.Rows), columns);
        ahead.Add(y + at, next.Slice.QueryStride, Math.Min(Panel, next.Rows), columns);
    }

    private static Work Prepare(in AttentionState state, in AttentionPart part)
    {
        ref readonly AttentionSlice slice = ref part.Slice;
        int width = slice.Width;
        int padded = AttentionTiles.PanelsWidth(width);

        // Few keys and values, if whole registers of them, are not worth packing.
        bool inPlace = part.EndRow * part.Group <= AttentionPacking.FewRows && width % 16 == 0;
        nint scoreRoom = (nint)(slice.Past + part.EndRow) * Panel;
        nint keyRoom = inPlace ? 0 : ((nint)part.EndRow * width) + 15 & -16;
        nint valueRoom = inPlace ? 0 : (nint)part.EndRow * padded;
        float* scratch = AttentionScratch.Rent(scoreRoom + keyRoom + valueRoom + (Panel * (width + padded + 2 + AttentionSoftmax.Chains)));
        Work work = new()
        {
            Level = state.Level,
            Width = width,
            Padded = padded,
            Packs = !inPlace,
            Keys = inPlace ? slice.OwnKeys : scratch + scoreRoom,
            KeyStride = inPlace ? slice.KeyStride : width,
            Values = inPlace
                ? new(slice.OwnValues, slice.KeyStride, Panel, part.EndRow)
                : new(scratch + scoreRoom + keyRoom, Panel, (nint)part.EndRow * Panel, part.EndRow),
            Scores = scratch,
            Queries = scratch += scoreRoom + keyRoom + valueRoom,
        };
        work.Out = scratch += Panel * width;
        work.Largest = scratch += Panel * padded;
        work.Over = scratch += Panel;
        work.Sums = scratch + Panel;
        return work;
    }

    private struct Work
    {
        public SimdLevel Level;
        public int Width;
        public int Padded;          // the width of whole panels
        public bool Packs;          // own keys and values are copied together as they are needed
        public float* Scores;       // [positions, 32]
        public float* Keys;         // own ones
        public nint KeyStride;      // from one of these to the next
        public AttentionVectorRows Values; // own ones
        public float* Queries;      // turned, [D, 32]
        public float* Out;          // rows of y before their division
        public float* Largest, Over, Sums; // see AttentionSoftmax
        public AttentionAhead Ahead;
        private int packed;         // own positions copied so far

        /// <summary>kᵀ·q. Of the first positions, as many as it says, the largest scores are found on the way.</summary>
        public int Score(in AttentionSlice slice, in AttentionRows rows, float* q)
        {
            AttentionPacking.Turned(q, slice.QueryStride, Width, rows.Count, Queries);
            for (int p = 0; p < slice.Past; p += Panel)
            {
                AttentionTiles.Scores(Level, rows, Queries, Width, slice.PastKeys(p), 1, Panel, p, Math.Min(Panel, slice.Past - p), Scores + (p * Panel), Panel, null, ref Ahead);
            }

            int own = rows.Seen(rows.Count - 1) - slice.Past;
            if (Packs && own > packed)
            {
                AttentionPacking.Copy(slice.OwnKeys + (packed * slice.KeyStride), slice.KeyStride, Width, own - packed, Keys + (packed * KeyStride), KeyStride);
                AttentionPacking.Rows(slice.OwnValues + (packed * slice.KeyStride), slice.KeyStride, Width, own - packed, Values.First + (packed * Panel), Values.Plane);
                packed = own;
            }

            new Span<float>(Largest, Panel).Fill(float.NegativeInfinity);
            int known = AttentionTiles.Scores(
                Level, rows, Queries, Width, Keys, KeyStride, 1, slice.Past, own, Scores + (slice.Past * Panel), Panel, slice.Past == 0 ? Largest : null, ref Ahead);
            return slice.Past == 0 ? known : 0;
        }

        public readonly void Save(int count, float* target, nint step)
        {
            for (int r = 0; r < count; r++)
            {
                target[0] = Largest[r];
                target[1] = Over[r];
                target += step;
            }
        }

        /// <summary>y = weights · values / sum.</summary>
        public void Mix(in AttentionSlice slice, in AttentionRows rows, float* y)
        {
            AttentionVectorRows past = new(slice.PastValues, slice.KeyStride, Panel, slice.Past);
            AttentionVectorRows own = Values.Of(rows.Seen(rows.Count - 1) - slice.Past);
            AttentionTiles.Mix(Level, Scores, 1, Panel, rows, GemmKernels.MaxRows, past, own, Width, Out, Padded, accumulate: false, ref Ahead);
            if (!AttentionVectors.Scaled(Out, Padded, Width, rows.Count, Over, 1, y, slice.QueryStride))
            {
                // Perhaps only because a row multiplied by zero what it does not see.
                AttentionTiles.Mix(Level, Scores, 1, Panel, rows, 1, past, own, Width, Out, Padded, accumulate: false, ref Ahead);
                AttentionVectors.Scaled(Out, Padded, Width, rows.Count, Over, 1, y, slice.QueryStride);
            }
        }
    }
}
