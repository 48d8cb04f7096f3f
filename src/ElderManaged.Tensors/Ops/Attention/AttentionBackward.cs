namespace ElderManaged.Tensors;

/// <summary>
/// Backward of one head of one sequence. With s = q·kᵀ/√D, w = softmax(s), y = w·v:
/// dv = wᵀ·dy,  dw = dy·vᵀ,  ds = w (dw − dy·y),  dq = ds·k/√D,  dk = dsᵀ·q/√D  (dy·y, a number for each row, is Σ w dw).
/// </summary>
/// <remarks>
/// <code>
///                   positions →
///              ┌────┬────┬────┬────┐
///    block of  │ w, from q·kᵀ, made again           A block of rows (up to 96) has all of w and ds at once in the second-level cache.
///    rows      │ ds, from dy·vᵀ, beside it          Row-wise tiles  (12 rows × 32 positions):  q·kᵀ, dy·vᵀ
///     ↓        ├────┼────┼──╲─┼────┤                Row-wise tiles  (12 rows × 32 columns of D):  dq = ds·k
///              │    │    │    │╲   │                Column-wise     (12 positions × 32 columns of D, as deep as the block):
///              └────┴────┴────┴────┘                                dv += wᵀ·dy, dk += dsᵀ·q
/// </code>
/// One thread does all rows of a head, block after block, so an element of dk or dv is one chain of fused multiply-adds in the
/// order of the rows. Where several query heads share a key/value head, <see cref="AttentionKernel"/> adds their sums in order.
/// </remarks>
internal static unsafe class AttentionBackward
{
    private const int Panel = AttentionPacking.Panel;

    // The scores of a block and their slopes: 2 · 64 Ki floats are 512 KB of the second-level cache.
    private const int ScoreRoom = 64 * 1024;
    private const int MinBlockRows = 2 * GemmKernels.MaxRows;
    private const int MaxBlockRows = 8 * GemmKernels.MaxRows;

    // The block's rows of q or dy: 24 KB stay in the first-level cache while positions go by.
    private const int RowRoom = 6 * 1024;

    /// <summary>Adds to dq, dk and dv, or sets them where nothing was before.</summary>
    public static void Run(in AttentionState state, in AttentionSlice slice, int head, in AttentionSums sums)
    {
        Work work = Prepare(state, slice, sums);
        work.Clear();
        work.Blocks(state, slice, head, state.Dq, GemmKernels.MaxRows);
        if (slice.Length > 1 && work.NotFinite())
        {
            // Perhaps only because a row was multiplied by zero for a position that it does not see: once more without such products.
            work.Clear();
            work.Blocks(state, slice, head, null, 1);
        }

        work.Deliver(slice, sums);
    }

    private static Work Prepare(in AttentionState state, in AttentionSlice slice, in AttentionSums sums)
    {
        int width = slice.Width;
        int positions = slice.Past + slice.Length;
        nint stride = AttentionSoftmax.Stride(positions);
        int padded = AttentionTiles.PanelsWidth(width);
        int fitting = (int)Math.Min(ScoreRoom / stride, RowRoom / padded) / GemmKernels.MaxRows * GemmKernels.MaxRows;
        int blockRows = Math.Min(Math.Clamp(fitting, MinBlockRows, MaxBlockRows), slice.Length);
        nint turned = (nint)((positions + Panel - 1) & -Panel) * width;
        nint ownTurned = (nint)((slice.Length + Panel - 1) & -Panel) * width;
        nint plane = (nint)(positions + 3) * Panel; // past keys are turned by fours
        bool slopes = state.Dq is not null || sums.Keys;
        nint sumSize = (nint)slice.Length * padded;
        long room = ((slopes ? 2 : 1) * blockRows * stride) + ownTurned + (slopes ? turned : 0) + (state.Dq is null ? 0 : (long)(positions + 3) * padded)
            + (2L * blockRows * width) + (2 * sumSize) + (blockRows * padded) + (4 * blockRows);

        float* scratch = AttentionScratch.Rent(room);
        Work work = new()
        {
            Level = state.Level,
            Width = width,
            Padded = padded,
            Stride = stride,
            BlockRows = blockRows,
            Plane = plane,
            SumSize = sumSize,
            WantsKeys = sums.Keys,
            WantsValues = sums.Values,
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

        if (state.Dq is not null)
        {
            work.Keys = scratch;
            scratch += (nint)(positions + 3) * padded;
            AttentionPacking.KeyRows(slice, work.Keys, plane);
        }

        work.CloseQ = scratch;
        work.CloseDy = scratch += (nint)blockRows * width;
        work.SumK = scratch += (nint)blockRows * width;
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
        public nint Stride;             // from one row of scores to the next
        public nint Plane;              // from one panel of keys to the next
        public nint SumSize;
        public bool WantsKeys, WantsValues;
        public float* Weights, Slopes;  // [block rows, positions]; slopes null: not needed
        public float* OwnKeys, TurnedValues, Keys;   // own keys in panels [D, 32], all values so, all keys in panels [positions, 32]
        public float* CloseQ, CloseDy;  // the block's rows of q and dy
        public float* SumK, SumV;       // [own rows, padded]
        public float* Out;
        public float* Means, Statistics;

        public readonly void Clear()
        {
            new Span<float>(SumK, checked((int)SumSize)).Clear();
            new Span<float>(SumV, checked((int)SumSize)).Clear();
        }

        public readonly bool NotFinite() =>
            (WantsKeys && AttentionVectors.NotFinite(SumK, Width, Padded, (int)(SumSize / Padded))) || (WantsValues && AttentionVectors.NotFinite(SumV, Width, Padded, (int)(SumSize / Padded)));

        public readonly void Blocks(in AttentionState state, in AttentionSlice slice, int head, Tensor? dq, int heights)
        {
            for (int first = 0; first < slice.Length; first += BlockRows)
            {
                AttentionRows rows = new(Math.Min(BlockRows, slice.Length - first), slice.Past + first + 1, 1);
                nint at = ((slice.Start + first) * slice.QueryStride) + ((nint)head * Width);
                MakeWeights(state, slice, rows, first, head, at);
                if (dq is not null)
                {
                    DeliverQueries(rows, dq.Pointer + at, slice.QueryStride, (state.Fresh & AttentionInputs.Queries) == 0);
                }

                // Own positions up to the block's last row; the first of them is seen first by row −first of the block.
                int own = first + rows.Count;
                if (WantsValues)
                {
                    AttentionTiles.AddTransposed(Level, Weights + slice.Past, Stride, rows.Count, -first, own, heights, CloseDy, Width, SumV);
                }

                if (WantsKeys)
                {
                    AttentionTiles.AddTransposed(Level, Slopes + slice.Past, Stride, rows.Count, -first, own, heights, CloseQ, Width, SumK);
                }
            }
        }

        public readonly void Deliver(in AttentionSlice slice, in AttentionSums sums)
        {
            for (int t = 0; t < slice.Length; t++)
            {
                nint at = ((slice.Start + t) * sums.Stride) + sums.Column;
                AttentionVectors.Deliver(Level, SumK + ((nint)t * Padded), Width, sums.ToKeys, at, sums.AddKeys);
                AttentionVectors.Deliver(Level, SumV + ((nint)t * Padded), Width, sums.ToValues, at, sums.AddValues);
            }
        }

        // Weights, slopes, and the block's rows of q and dy close together.
        private readonly void MakeWeights(in AttentionState state, in AttentionSlice slice, in AttentionRows rows, int first, int head, nint at)
        {
            float* q = state.Q.Pointer + at;
            float* y = state.Y.Pointer + at;
            float* dy = state.Dy!.Pointer + at;
            float* saved = state.Statistics!.Pointer + ((((slice.Start + first) * state.Heads) + head) * 2);
            for (int i = 0; i < rows.Count; i++)
            {
                Statistics[2 * i] = saved[0];
                Statistics[(2 * i) + 1] = saved[1];
                Means[i] = Reductions.Dot(dy + (i * slice.QueryStride), y + (i * slice.QueryStride), Width);
                saved += 2 * state.Heads;
            }

            AttentionPacking.Close(q, slice.QueryStride, Width, rows.Count, CloseQ);
            AttentionPacking.Close(dy, slice.QueryStride, Width, rows.Count, CloseDy);
            int end = rows.Seen(rows.Count - 1);
            for (int p = 0; p < slice.Past; p += Panel)
            {
                AttentionTiles.Scores(Level, rows, CloseQ, Width, Width, slice.PastKeys(p), p, slice.Past, Weights, Stride, slice.AfterPastKeys(p));
            }

            for (int p = slice.Past; p < end; p += Panel)
            {
                AttentionTiles.Scores(Level, rows, CloseQ, Width, Width, OwnKeys + ((nint)(p - slice.Past) * Width), p, end, Weights, Stride);
            }

            for (int p = 0; Slopes != null && p < end; p += Panel)
            {
                AttentionTiles.Scores(Level, rows, CloseDy, Width, Width, TurnedValues + ((nint)p * Width), p, end, Slopes, Stride);
            }

            AttentionSoftmax.Slopes(Level, Weights, Slopes, Stride, rows, state.Factor, Statistics, Means, state.Scale);
        }

        private readonly void DeliverQueries(in AttentionRows rows, float* dq, nint step, bool add)
        {
            AttentionTiles.Mix(Level, Slopes, Stride, rows, default, new(Keys, Panel, Plane, rows.Seen(rows.Count - 1)), Width, Out);
            for (int i = 0; i < rows.Count; i++)
            {
                AttentionVectors.Deliver(Level, Out + (i * Padded), Width, dq, i * step, add);
            }
        }
    }
}

/// <summary>Where the sums for keys and values of one head go.</summary>
/// <param name="ToKeys">dk, or partial sums; null when not wanted.</param>
/// <param name="ToValues">dv, or partial sums; null when not wanted.</param>
/// <param name="Stride">From row to row of both.</param>
/// <param name="Column">The head's first column.</param>
/// <param name="AddKeys">Adds instead of replacing what is there.</param>
/// <param name="AddValues">The same for values.</param>
internal readonly unsafe struct AttentionSums(float* ToKeys, float* ToValues, nint Stride, nint Column, bool AddKeys, bool AddValues)
{
    public float* ToKeys { get; } = ToKeys;

    public float* ToValues { get; } = ToValues;

    public nint Stride { get; } = Stride;

    public nint Column { get; } = Column;

    public bool AddKeys { get; } = AddKeys;

    public bool AddValues { get; } = AddValues;

    public bool Keys => ToKeys != null;

    public bool Values => ToValues != null;
}
