namespace ElderManaged.Tensors;

/// <summary>
/// Backward of one head of one sequence. With s = q·kᵀ/√D, w = softmax(s), y = w·v:
/// dv = wᵀ·dy,  dw = dy·vᵀ,  ds = w (dw − dy·y),  dq = ds·k/√D,  dk = dsᵀ·q/√D  (dy·y, a number for each row, is Σ w dw).
/// </summary>
/// <remarks>
/// <code>
///                64 rows →
///              ┌───────────────┐
///   positions  │ w, from k·qᵀ, │      A block of rows has all of w and ds at once in the second-level cache, position by position,
///       ↓      │ made again    │      with a row in each lane (see AttentionSoftmax).
///              │ ds, from      │      Tiles of 12 positions × 32 rows, D deep:                     k·qᵀ, v·dyᵀ, from rows turned to panels [D, 32]
///              │ v·dyᵀ, beside │      Tiles of 12 rows × 32 columns of D, as deep as they see:     dq = ds·k
///              │ it ╲          │      Tiles of 12 positions × 32 columns of D, the block deep:     dv += wᵀ·dy, dk += dsᵀ·q
///              └───────╲───────┘      On the diagonal, in groups of 4 rows or positions × 64 columns: see AttentionTriangle.
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

    // Floats of a head's keys: with more of them, what is fetched for the next part would drive out what this one works with.
    private const int MostAhead = 32 * 1024;

    /// <summary>Adds to dq, dk and dv, or sets them where nothing was before, while what the <paramref name="next"/> part needs is fetched.</summary>
    public static void Run(in AttentionState state, in AttentionPart part, in AttentionPart next)
    {
        Work work = Prepare(state, part.Slice);
        for (int head = part.FirstHead; head < part.FirstHead + part.Group; head++)
        {
            AttentionSums sums = new(state, head);
            work.Place(part.Slice, sums);
            work.Blocks(state, part, head, next);
            work.Deliver(part.Slice, sums);
        }
    }

    private static Work Prepare(in AttentionState state, in AttentionSlice slice)
    {
        int width = slice.Width;
        int positions = slice.Past + slice.Length;
        int padded = AttentionTiles.PanelsWidth(width);
        int blockRows = slice.Length > Panel && 2 * Panel * positions <= ScoreRoom ? 2 * Panel : Panel;
        bool inPlace = slice.Length <= AttentionPacking.FewRows && width % 16 == 0;
        bool packsKeys = state.Dq is not null && (slice.Past > 0 || width % 16 != 0);
        bool slopes = state.Dq is not null || state.Dk is not null;
        nint scoreRoom = (nint)positions * blockRows;

        // Rows copied close together lie no power of two apart, which would fill few sets of the cache. Behind a row that is no whole registers
        // its neighbour begins: kernels read on there, and what lies in a gap by chance could be subnormal, which is slow.
        int close = width % 16 == 0 ? width + 16 : width;
        nint rowRoom = ((nint)slice.Length * close) + 15 & -16; // own keys or values
        nint closeRoom = blockRows * (nint)close;
        nint turnedRoom = blockRows * (nint)width;
        nint plane = (nint)(positions + 3) * Panel; // past keys are turned by fours
        nint sumSize = (nint)slice.Length * padded;
        float* scratch = AttentionScratch.Rent((2 * scoreRoom) + (2 * rowRoom) + (packsKeys ? (long)(positions + 3) * padded : 0)
            + (2 * (closeRoom + turnedRoom)) + (2 * sumSize) + (Panel * padded) + (3 * blockRows));
        Work work = new()
        {
            Level = state.Level,
            Width = width,
            Padded = padded,
            BlockRows = blockRows,
            Rows = slice.Length,
            WantsKeys = state.Dk is not null,
            WantsValues = state.Dv is not null,
            Q = state.Q.Pointer,
            Y = state.Y.Pointer,
            Dy = state.Dy!.Pointer,
            Dq = state.Dq is { } dq ? dq.Pointer : null,
            OwnKeys = slice.OwnKeys,
            OwnValues = slice.OwnValues,
            OwnStride = slice.KeyStride,
            Keys = new(slice.OwnKeys, slice.KeyStride, Panel, positions),
            Weights = scratch,
        };
        scratch += scoreRoom;
        work.Slopes = slopes ? scratch : null;
        scratch += scoreRoom;
        if (!inPlace)
        {
            work.OwnStride = work.CloseStride = close;
            work.OwnKeys = scratch;
            work.OwnValues = scratch + rowRoom;
            AttentionPacking.Copy(slice.OwnKeys, slice.KeyStride, width, slice.Length, work.OwnKeys, close);
            AttentionPacking.Copy(slice.OwnValues, slice.KeyStride, width, slice.Length, work.OwnValues, close);
            work.Keys = new(work.OwnKeys, close, Panel, positions);
            scratch += 2 * rowRoom;
            work.CloseQ = scratch;
            work.CloseDy = scratch + closeRoom;
            scratch += 2 * closeRoom;
        }

        if (packsKeys)
        {
            work.Keys = new(scratch, Panel, plane, positions);
            AttentionPacking.KeyRows(slice, scratch, plane);
            scratch += (nint)(positions + 3) * padded;
        }

        work.KeyHeights = work.Dq == null ? 0 : Heights(work.OwnKeys, width, work.OwnStride, slice.Length);
        work.Turned = scratch;
        work.ApartK = scratch += turnedRoom;
        work.ApartV = scratch += sumSize;
        work.Out = scratch += sumSize;
        work.Means = scratch += Panel * padded;
        work.Largest = scratch += blockRows;
        work.Over = scratch + blockRows;
        return work;
    }

    // The tallest tile of a product with these vectors. Near the diagonal it multiplies by zero what a row does not see, or is not seen by:
    // if that is not finite, rows go one by one.
    private static int Heights(float* vectors, int width, nint stride, int count) =>
        count > 1 && AttentionVectors.NotFinite(vectors, width, stride, count) ? 1 : GemmKernels.MaxRows;

    private struct Work
    {
        public SimdLevel Level;
        public int Width, Padded;
        public int BlockRows;           // 32 or 64, from one position of the scores to the next
        public int Rows;                // of the sequence
        public bool WantsKeys, WantsValues;
        public float* Q, Y, Dy, Dq;     // all rows and heads; Dq null: not wanted
        public int KeyHeights;          // see Heights
        public float* Weights, Slopes;  // [positions, block rows]; slopes null: not needed
        public float* OwnKeys, OwnValues;       // own keys and values as rows
        public nint OwnStride;
        public AttentionVectorRows Keys;        // all keys as rows, in panels where there are past ones or rows are no whole registers
        public float* CloseQ, CloseDy;  // the block's rows of q and dy close together; null: they are read where they lie
        public nint CloseStride;
        public float* Turned;           // 32 rows of q or dy, [D, 32]
        public float* SumK, SumV;       // where the head's sums for own keys and values are made,
        public nint StrideK, StrideV;   // from row to row there,
        public bool AddsK, AddsV;       // and whether they are added to what is there before
        public float* ApartK, ApartV;   // room for them, [own rows, padded]
        public float* Out;              // up to 32 rows of dq, if not made where they go
        public float* Means, Largest, Over;     // of the block's rows
        public AttentionAhead Ahead;

        /// <summary>Sums for keys and values are made where they go, or apart and delivered at last.</summary>
        public void Place(in AttentionSlice slice, in AttentionSums sums)
        {
            bool placesK = sums.Keys && sums.Places(slice, sums.AddKeys);
            bool placesV = sums.Values && sums.Places(slice, sums.AddValues);
            SumK = placesK ? sums.KeysAt(slice.Start) : ApartK;
            SumV = placesV ? sums.ValuesAt(slice.Start) : ApartV;
            StrideK = placesK ? sums.Stride : Padded;
            StrideV = placesV ? sums.Stride : Padded;
            AddsK = placesK && sums.AddKeys;
            AddsV = placesV && sums.AddValues;
        }

        public void Blocks(in AttentionState state, in AttentionPart part, int head, in AttentionPart next)
        {
            ref readonly AttentionSlice slice = ref part.Slice;
            for (int first = 0; first < slice.Length; first += BlockRows)
            {
                int count = Math.Min(BlockRows, slice.Length - first);
                nint at = part.At(first, head);
                Expect(state, part, head, first, first + count, next);
                float* q = Q + at;
                float* dy = Dy + at;
                MakeMeans(dy, Y + at, slice.QueryStride, count);
                CopyStatistics(state.Statistics!.Pointer + ((((slice.Start + first) * state.Heads) + head) * 2), 2 * state.Heads, count);
                for (int row = 0; row < count; row += Panel)
                {
                    AttentionRows rows = new(Math.Min(Panel, count - row), slice.Past + first + row + 1);
                    nint from = row * slice.QueryStride;
                    MakeWeights(state, slice, rows, row, slice.Past + first + count, q + from, dy + from);
                    if (Dq != null)
                    {
                        MixSlopes(rows, row, Dq + at + from, slice.QueryStride, (state.Fresh & AttentionInputs.Queries) == 0);
                    }
                }

                nint rowStep = slice.QueryStride;
                if (CloseQ != null)
                {
                    AttentionPacking.Copy(q, rowStep, Width, count, CloseQ, CloseStride);
                    AttentionPacking.Copy(dy, rowStep, Width, count, CloseDy, CloseStride);
                    q = CloseQ;
                    dy = CloseDy;
                    rowStep = CloseStride;
                }

                // Keys first: where values are the same tensor, theirs are added to what was set.
                if (WantsKeys)
                {
                    AddTo(SumK, StrideK, AddsK, Slopes + (slice.Past * BlockRows), first, count, q, rowStep);
                }

                if (WantsValues)
                {
                    AddTo(SumV, StrideV, AddsV, Weights + (slice.Past * BlockRows), first, count, dy, rowStep);
                }
            }
        }

        public readonly void Deliver(in AttentionSlice slice, in AttentionSums sums)
        {
            if (sums.Keys && SumK == ApartK)
            {
                AttentionVectors.Deliver(SumK, Padded, Width, Rows, sums.KeysAt(slice.Start), sums.Stride, sums.AddKeys);
            }

            if (sums.Values && SumV == ApartV)
            {
                AttentionVectors.Deliver(SumV, Padded, Width, Rows, sums.ValuesAt(slice.Start), sums.Stride, sums.AddValues);
            }
        }

        // What is wanted after this block: the next block's rows, of this head or another; where this block's part of the sums goes at last; some keys and values of the next part.
        private void Expect(in AttentionState state, in AttentionPart part, int head, int first, int end, in AttentionPart next)
        {
            Ahead.Clear();
            if (end < part.EndRow)
            {
                ExpectRows(state, part, head, end);
            }
            else if (head + 1 < part.FirstHead + part.Group)
            {
                ExpectRows(state, part, head + 1, 0);
            }
            else if (next.Rows > 0)
            {
                ExpectRows(state, next, next.FirstHead, 0);
            }

            if (Rows * Width <= MostAhead)
            {
                AttentionSums sums = new(state, head);
                Ahead.Add(sums.KeysAt(part.Slice.Start + first), sums.Stride, sums.Keys && SumK == ApartK ? end - first : 0, Width);
                Ahead.Add(sums.ValuesAt(part.Slice.Start + first), sums.Stride, sums.Values && SumV == ApartV ? end - first : 0, Width);
                int blocks = (Rows + BlockRows - 1) / BlockRows;
                Ahead.AddKeys(next, ((head - part.FirstHead) * blocks) + (first / BlockRows), part.Group * blocks);
            }
        }

        private void ExpectRows(in AttentionState state, in AttentionPart part, int head, int first)
        {
            nint at = part.At(first, head);
            int rows = Math.Min(BlockRows, part.EndRow - first);
            Ahead.Add(Dy + at, part.Slice.QueryStride, rows, Width);
            Ahead.Add(Y + at, part.Slice.QueryStride, rows, Width);
            Ahead.Add(Q + at, part.Slice.QueryStride, rows, Width);
            Ahead.Add(Dq + at, part.Slice.QueryStride, Dq == null ? 0 : rows, Width);
            AttentionSums sums = new(state, head);
            Ahead.Add(sums.KeysAt(part.Slice.Start + first), sums.Stride, sums.Keys && sums.Places(part.Slice, sums.AddKeys) ? rows : 0, Width);
            Ahead.Add(sums.ValuesAt(part.Slice.Start + first), sums.Stride, sums.Values && sums.Places(part.Slice, sums.AddValues) ? rows : 0, Width);
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
                Largest[i] = saved[0];
                Over[i] = saved[1];
                saved += step;
            }
        }

        // w and ds of up to 32 rows, from number `row` of the block on, which reaches up to position `end`.
        private void MakeWeights(in AttentionState state, in AttentionSlice slice, in AttentionRows rows, int row, int end, float* q, float* dy)
        {
            int own = rows.Seen(rows.Count - 1) - slice.Past;
            float* weights = Weights + row;
            AttentionPacking.Turned(q, slice.QueryStride, Width, rows.Count, Turned);
            for (int p = 0; p < slice.Past; p += Panel)
            {
                AttentionTiles.Scores(
                    Level, rows, Turned, Width, slice.PastKeys(p), 1, Panel, p, Math.Min(Panel, slice.Past - p), weights + (p * BlockRows), BlockRows, null, ref Ahead);
            }

            AttentionTiles.Scores(Level, rows, Turned, Width, OwnKeys, OwnStride, 1, slice.Past, own, weights + (slice.Past * BlockRows), BlockRows, null, ref Ahead);
            float* slopes = null;
            if (Slopes != null)
            {
                slopes = Slopes + row;
                AttentionPacking.Turned(dy, slice.QueryStride, Width, rows.Count, Turned);
                AttentionTiles.Scores(Level, rows, Turned, Width, slice.PastValues, slice.KeyStride, 1, 0, slice.Past, slopes, BlockRows, null, ref Ahead);
                AttentionTiles.Scores(Level, rows, Turned, Width, OwnValues, OwnStride, 1, slice.Past, own, slopes + (slice.Past * BlockRows), BlockRows, null, ref Ahead);
            }

            AttentionSoftmax.Slopes(Level, weights, slopes, BlockRows, rows, end, state.Factor, Largest + row, Over + row, Means + row, state.Scale);
        }

        // dq = ds·k of up to 32 rows.
        private void MixSlopes(in AttentionRows rows, int row, float* dq, nint stride, bool add)
        {
            AttentionVectorRows keys = Keys.Of(rows.Seen(rows.Count - 1));
            bool apart = Padded != Width || Rows > AttentionPacking.FewRows;
            float* result = apart ? Out : dq;
            nint step = apart ? Padded : stride;
            AttentionTiles.Mix(Level, Slopes + row, 1, BlockRows, rows, KeyHeights, default, keys, Width, result, step, add && !apart, ref Ahead);
            if (apart)
            {
                AttentionVectors.Deliver(Out, Padded, Width, rows.Count, dq, stride, add);
            }
        }

        // Adds to the sums of positions before the block's first row, and begins those of the block's own, unless something is there before.
        private void AddTo(float* sums, nint stride, bool add, float* weights, int first, int rows, float* vectors, nint vectorStride)
        {
            int heights = Heights(vectors, Width, vectorStride, rows);
            AttentionTiles.AddTransposed(Level, weights, BlockRows, rows, -first, first, heights, vectors, vectorStride, Width, sums, stride, accumulate: true, ref Ahead);
            AttentionTiles.AddTransposed(Level, weights + (first * BlockRows), BlockRows, rows, 0, rows, heights, vectors, vectorStride, Width, sums + (first * stride), stride, add, ref Ahead);
        }
    }
}

/// <summary>Where the sums for keys and values of one query head go: to the gradients, after those of the heads before it in its group, or to partial sums.</summary>
internal readonly unsafe struct AttentionSums
{
    private readonly float* keys, values;
    private readonly bool alone; // no other head shares these keys

    public AttentionSums(in AttentionState state, int head)
    {
        int group = state.Heads / state.KvHeads;
        alone = group == 1;
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

    /// <summary>
    /// Whether the sums of a sequence are made where they go, which saves their copies. Not where rows are not whole panels; nor where there are
    /// many of them, pages apart; nor after those of another head in the same place, as each head is summed for itself.
    /// </summary>
    public bool Places(in AttentionSlice slice, bool add) =>
        slice.Length <= AttentionPacking.FewRows && slice.Width % AttentionPacking.Panel == 0 && (alone || !add);

    /// <summary>Where the sum of a row goes; nowhere, if they are not wanted.</summary>
    public float* KeysAt(nint row) => keys + (row * Stride);

    /// <inheritdoc cref="KeysAt"/>
    public float* ValuesAt(nint row) => values + (row * Stride);
}
