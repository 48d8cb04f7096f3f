namespace ElderManaged.Tensors;

/// <summary>
/// Backward of one head of one sequence. With s = q·kᵀ/√D, w = softmax(s), y = w·v:
/// dv = wᵀ·dy,  dw = dy·vᵀ,  ds = w (dw − dy·y),  dq = ds·k/√D,  dk = dsᵀ·q/√D  (dy·y, a number for each row, is Σ w dw).
/// </summary>
/// <remarks>
/// <code>
///                   positions →
///              ┌────┬────┬────┬────┐
///    block of  │ w, from q·kᵀ, made again           A block of rows (up to 48) has all of w and ds at once in the second-level cache.
///    rows      │ ds, from dy·vᵀ, beside it          Row-wise tiles  (12 rows × 32 positions):  q·kᵀ, dy·vᵀ
///     ↓        ├────┼────┼──╲─┼────┤                Row-wise tiles  (12 rows × 32 columns of D):  dq = ds·k
///              │    │    │    │╲   │                Column-wise     (12 positions × 32 columns of D, as deep as the block):
///              └────┴────┴────┴────┘                                dv += wᵀ·dy, dk += dsᵀ·q
/// </code>
/// One thread does all rows of a head, block after block, so an element of dk or dv is one chain of fused multiply-adds in the
/// order of the rows. Where several query heads share a key/value head, their sums are added in order: here, or, if each has a part of
/// its own, by <see cref="AttentionKernel"/>.
/// </remarks>
internal static unsafe class AttentionBackward
{
    private const int Panel = AttentionPacking.Panel;

    // The scores of a block and their slopes: 2 · 64 Ki floats are 512 KB of the second-level cache.
    private const int ScoreRoom = 64 * 1024;
    private const int MinBlockRows = 2 * GemmKernels.MaxRows;
    private const int MaxBlockRows = 4 * GemmKernels.MaxRows;

    // The block's rows of q or dy: 24 KB stay in the first-level cache while positions go by.
    private const int RowRoom = 6 * 1024;

    // Floats of a head's keys: with more of them, what is fetched for the next head would drive out what this one works with.
    private const int MostAhead = 32 * 1024;

    /// <summary>Adds to dq, dk and dv, or sets them where nothing was before, while what the <paramref name="next"/> part needs is fetched.</summary>
    public static void Run(in AttentionState state, in AttentionPart part, in AttentionPart next)
    {
        Work work = Prepare(state, part.Slice);
        for (int head = part.FirstHead; head < part.FirstHead + part.Group; head++)
        {
            AttentionSums sums = new(state, head);
            work.Blocks(state, part, head, next, sums, work.Dq, GemmKernels.MaxRows);
            if (part.Rows > 1 && work.NotFinite())
            {
                // Perhaps only because a row was multiplied by zero for a position that it does not see: once more without such products.
                work.Blocks(state, part, head, next, sums, null, 1);
            }

            work.Deliver(part.Slice, sums);
        }
    }

    private static Work Prepare(in AttentionState state, in AttentionSlice slice)
    {
        int width = slice.Width;
        int positions = slice.Past + slice.Length;
        nint stride = AttentionSoftmax.Stride(positions);
        int padded = AttentionTiles.PanelsWidth(width);
        int fitting = (int)Math.Min(ScoreRoom / stride, RowRoom / padded) / GemmKernels.MaxRows * GemmKernels.MaxRows;
        int blockRows = Math.Min(Math.Clamp(fitting, MinBlockRows, MaxBlockRows), slice.Length);
        bool inPlace = slice.Length <= AttentionPacking.FewRows && width % 16 == 0;
        bool packsKeys = state.Dq is not null && !(inPlace && slice.Past == 0);
        nint turned = (nint)((positions + Panel - 1) & -Panel) * width;
        nint ownTurned = (nint)((slice.Length + Panel - 1) & -Panel) * width;
        nint plane = (nint)(positions + 3) * Panel; // past keys are turned by fours
        bool slopes = state.Dq is not null || state.Dk is not null;
        nint sumSize = (nint)slice.Length * padded;
        long room = ((slopes ? 2 : 1) * blockRows * stride) + ownTurned + (slopes ? turned : 0) + (packsKeys ? (long)(positions + 3) * padded : 0)
            + (2L * blockRows * width) + (2 * sumSize) + (blockRows * padded) + (4 * blockRows);

        float* scratch = AttentionScratch.Rent(room);
        Work work = new()
        {
            Level = state.Level,
            Width = width,
            Padded = padded,
            Stride = stride,
            BlockRows = blockRows,
            Rows = slice.Length,
            WantsKeys = state.Dk is not null,
            WantsValues = state.Dv is not null,
            Q = state.Q.Pointer,
            Y = state.Y.Pointer,
            Dy = state.Dy!.Pointer,
            Dq = state.Dq is { } dq ? dq.Pointer : null,
        };
        work.Weights = scratch;
        scratch += blockRows * stride;
        if (slopes)
        {
            work.Slopes = scratch;
            scratch += blockRows * stride;
        }

        work.OwnKeys = scratch;
        scratch += ownTurned;
        for (int p = 0; p < slice.Length; p += Panel)
        {
            AttentionPacking.Turned(slice.OwnKeys + (p * slice.KeyStride), slice.KeyStride, width, slice.Length - p, work.OwnKeys + ((nint)p * width));
        }

        if (slopes)
        {
            work.TurnedValues = scratch;
            scratch += turned;
            for (int p = 0; p < positions; p += Panel)
            {
                AttentionPacking.TurnedValues(slice, p, work.TurnedValues + ((nint)p * width));
            }
        }

        work.Keys = new(slice.OwnKeys, slice.KeyStride, Panel, positions);
        if (packsKeys)
        {
            work.Keys = new(scratch, Panel, plane, positions);
            AttentionPacking.KeyRows(slice, scratch, plane);
            scratch += (nint)(positions + 3) * padded;
        }

        if (!inPlace)
        {
            work.CloseQ = scratch;
            work.CloseDy = scratch + ((nint)blockRows * width);
        }

        work.SumK = scratch += 2 * (nint)blockRows * width;
        work.SumV = scratch += sumSize;
        work.Out = scratch += sumSize;
        work.Means = scratch += blockRows * padded;
        work.Statistics = scratch + (2 * blockRows);
        return work;
    }

    private struct Work
    {
        public SimdLevel Level;
        public int Width, Padded, BlockRows;
        public int Rows;                // of the sequence
        public nint Stride;             // from one row of scores to the next
        public bool WantsKeys, WantsValues;
        public float* Q, Y, Dy, Dq;     // all rows and heads; Dq null: not wanted
        public float* Weights, Slopes;  // [block rows, positions]; slopes null: not needed
        public float* OwnKeys, TurnedValues;    // own keys in panels [D, 32], all values so
        public AttentionVectorRows Keys;        // all keys as rows
        public float* CloseQ, CloseDy;  // the block's rows of q and dy close together; null: they are read where they lie
        public float* SumK, SumV;       // [own rows, padded]
        public float* Out;
        public float* Means, Statistics;
        public AttentionAhead Ahead;

        public readonly bool NotFinite() =>
            (WantsKeys && AttentionVectors.NotFinite(SumK, Width, Padded, Rows)) || (WantsValues && AttentionVectors.NotFinite(SumV, Width, Padded, Rows));

        public void Blocks(in AttentionState state, in AttentionPart part, int head, in AttentionPart next, in AttentionSums sums, float* dq, int heights)
        {
            ref readonly AttentionSlice slice = ref part.Slice;
            for (int first = 0; first < slice.Length; first += BlockRows)
            {
                AttentionRows rows = new(Math.Min(BlockRows, slice.Length - first), slice.Past + first + 1, 1);
                nint at = part.At(first, head);
                Expect(part, head, first + rows.Count, next, sums);
                float* q = Q + at;
                float* dy = Dy + at;
                nint rowStep = slice.QueryStride;
                MakeMeans(dy, Y + at, rowStep, rows.Count);
                CopyStatistics(state.Statistics!.Pointer + ((((slice.Start + first) * state.Heads) + head) * 2), 2 * state.Heads, rows.Count);
                if (CloseQ != null)
                {
                    AttentionPacking.Close(q, rowStep, Width, rows.Count, CloseQ);
                    AttentionPacking.Close(dy, rowStep, Width, rows.Count, CloseDy);
                    q = CloseQ;
                    dy = CloseDy;
                    rowStep = Width;
                }

                MakeWeights(state, slice, rows, q, dy, rowStep);
                if (dq != null)
                {
                    AttentionTiles.Mix(Level, Slopes, Stride, rows, default, Keys.Of(rows.Seen(rows.Count - 1)), Width, Out, ref Ahead);
                    AttentionVectors.Deliver(Out, Padded, Width, rows.Count, dq + at, slice.QueryStride, (state.Fresh & AttentionInputs.Queries) == 0);
                }

                if (WantsValues)
                {
                    AddTo(SumV, Weights + slice.Past, first, rows.Count, heights, dy, rowStep);
                }

                if (WantsKeys)
                {
                    AddTo(SumK, Slopes + slice.Past, first, rows.Count, heights, q, rowStep);
                }
            }
        }

        public readonly void Deliver(in AttentionSlice slice, in AttentionSums sums)
        {
            AttentionVectors.Deliver(SumK, Padded, Width, Rows, sums.Keys ? sums.KeysAt(slice.Start) : null, sums.Stride, sums.AddKeys);
            AttentionVectors.Deliver(SumV, Padded, Width, Rows, sums.Values ? sums.ValuesAt(slice.Start) : null, sums.Stride, sums.AddValues);
        }

        // What is wanted after this block: the next block's rows, or at last where the sums go, and the next head or part.
        private void Expect(in AttentionPart part, int head, int end, in AttentionPart next, in AttentionSums sums)
        {
            Ahead.Clear();
            if (end < part.EndRow)
            {
                ExpectRows(part, head, end);
                return;
            }

            if (Rows * Width > MostAhead)
            {
                return;
            }

            Ahead.Add(sums.KeysAt(part.Slice.Start), sums.Stride, sums.Keys ? Rows : 0, Width);
            Ahead.Add(sums.ValuesAt(part.Slice.Start), sums.Stride, sums.Values ? Rows : 0, Width);
            if (head + 1 < part.FirstHead + part.Group)
            {
                ExpectRows(part, head + 1, 0);
            }
            else if (next.Rows > 0)
            {
                Ahead.Add(next.Slice.OwnKeys, next.Slice.KeyStride, next.Rows, Width);
                Ahead.Add(next.Slice.PastKeys(0), Panel, next.Slice.Past > 0 ? Width : 0, Panel);
                Ahead.Add(next.Slice.PastValues, next.Slice.KeyStride, next.Slice.Past, Width);
                Ahead.Add(next.Slice.OwnValues, next.Slice.KeyStride, next.Rows, Width);
                ExpectRows(next, next.FirstHead, 0);
            }
        }

        private void ExpectRows(in AttentionPart part, int head, int first)
        {
            nint at = part.At(first, head);
            int rows = Math.Min(BlockRows, part.EndRow - first);
            Ahead.Add(Dy + at, part.Slice.QueryStride, rows, Width);
            Ahead.Add(Y + at, part.Slice.QueryStride, rows, Width);
            Ahead.Add(Q + at, part.Slice.QueryStride, rows, Width);
            Ahead.Add(Dq + at, part.Slice.QueryStride, Dq == null ? 0 : rows, Width);
        }

        private readonly void MakeMeans(float* dy, float* y, nint step, int count)
        {
            for (int i = 0; i < count; i++)
            {
                Means[i] = Reductions.Dot(dy + (i * step), y + (i * step), Width);
            }
        }

        private readonly void CopyStatistics(float* saved, nint step, int count)
        {
            for (int i = 0; i < count; i++)
            {
                Statistics[2 * i] = saved[0];
                Statistics[(2 * i) + 1] = saved[1];
                saved += step;
            }
        }

        private void MakeWeights(in AttentionState state, in AttentionSlice slice, in AttentionRows rows, float* q, float* dy, nint rowStep)
        {
            int end = rows.Seen(rows.Count - 1);
            for (int p = 0; p < slice.Past; p += Panel)
            {
                AttentionTiles.Scores(Level, rows, q, rowStep, Width, slice.PastKeys(p), p, slice.Past, Weights, Stride, ref Ahead);
            }

            for (int p = slice.Past; p < end; p += Panel)
            {
                AttentionTiles.Scores(Level, rows, q, rowStep, Width, OwnKeys + ((nint)(p - slice.Past) * Width), p, end, Weights, Stride, ref Ahead);
            }

            for (int p = 0; Slopes != null && p < end; p += Panel)
            {
                AttentionTiles.Scores(Level, rows, dy, rowStep, Width, TurnedValues + ((nint)p * Width), p, end, Slopes, Stride, ref Ahead);
            }

            AttentionSoftmax.Slopes(Level, Weights, Slopes, Stride, rows, state.Factor, Statistics, Means, state.Scale);
        }

        // Adds to the sums of positions before the block's first row, and begins those of the block's own.
        private void AddTo(float* sums, float* weights, int first, int rows, int heights, float* vectors, nint vectorStride)
        {
            AttentionTiles.AddTransposed(Level, weights, Stride, rows, -first, first, heights, vectors, vectorStride, Width, sums, accumulate: true, ref Ahead);
            AttentionTiles.AddTransposed(Level, weights + first, Stride, rows, 0, rows, heights, vectors, vectorStride, Width, sums + ((nint)first * Padded), accumulate: false, ref Ahead);
        }
    }
}

/// <summary>Where the sums for keys and values of one query head go: to the gradients, after those of the heads before it in its group, or to partial sums.</summary>
internal readonly unsafe struct AttentionSums
{
    private readonly float* keys, values;

    public AttentionSums(in AttentionState state, int head)
    {
        int group = state.Heads / state.KvHeads;
        int column = state.SplitsGroups ? head : head / group;
        Tensor? toKeys = state.SplitsGroups ? state.PartialK : state.Dk;
        Tensor? toValues = state.SplitsGroups ? state.PartialV : state.Dv;
        Stride = state.SplitsGroups ? state.QueryStride : state.KeyStride;
        Keys = toKeys is not null;
        Values = toValues is not null;
        keys = Keys ? toKeys!.Pointer + ((nint)column * state.Width) : null;
        values = Values ? toValues!.Pointer + ((nint)column * state.Width) : null;
        bool further = head % group != 0;
        AddKeys = !state.SplitsGroups && (further || (state.Fresh & AttentionInputs.Keys) == 0);
        AddValues = !state.SplitsGroups && (further || (state.Fresh & AttentionInputs.Values) == 0);
    }

    /// <summary>From row to row of both.</summary>
    public nint Stride { get; }

    /// <summary>Whether those of keys are wanted.</summary>
    public bool Keys { get; }

    /// <summary>Whether those of values are wanted.</summary>
    public bool Values { get; }

    /// <summary>Adds instead of replacing what is there.</summary>
    public bool AddKeys { get; }

    /// <inheritdoc cref="AddKeys"/>
    public bool AddValues { get; }

    /// <summary>Where the sum of a row goes; nowhere, if they are not wanted.</summary>
    public float* KeysAt(nint row) => keys + (row * Stride);

    /// <inheritdoc cref="KeysAt"/>
    public float* ValuesAt(nint row) => values + (row * Stride);
}
