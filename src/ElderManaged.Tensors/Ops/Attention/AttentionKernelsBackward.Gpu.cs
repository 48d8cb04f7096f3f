using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <content>Backward: blocks as in forward, softmax weights made again from each row's largest score and inverse sum.</content>
internal static partial class AttentionGpuKernels
{
    /// <summary>dy·y of each row and head; y is given as K.</summary>
    internal static void RowMeans(AttentionArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Rows)
        {
            long at = (long)i * a.Width;
            float sum = 0;
            for (int c = 0; c < a.Width; c++)
            {
                sum = GpuMath.Fma(a.Dy[at + c], a.K[at + c], sum);
            }

            a.Out[i] = sum;
        }
    }

    /// <summary>dq = ds·k/√D, ds = w (dy·v − dy·y), w made again from the statistics.</summary>
    internal static void QuerySlopes(AttentionArguments a)
    {
        ArrayView<float> staged = SharedMemory.Allocate<float>(4 * Slice);
        ArrayView<float> shared = SharedMemory.Allocate<float>(Tile * Stride);
        ArrayView<Float4> stagedFours = staged.Cast<Float4>();
        ArrayView<Float4> slopes = shared.Cast<Float4>();
        AttentionTask task = new(a.Tasks, Grid.IdxX);
        int head = Grid.IdxY;
        int kvHead = head / (a.Heads / a.KvHeads);
        int r = Group.IdxX >> 4, o = Group.IdxX & 15;
        int column = (Grid.IdxZ * Part) + (4 * o);
        bool far = a.Width - (Grid.IdxZ * Part) > Part / 2;
        int first = task.First + (4 * r);
        bool live = first < task.Length;
        int end = task.Past + XMath.Min(task.First + Tile, task.Length);
        int stagedRow = Group.IdxX >> 2, stagedColumn = 4 * (Group.IdxX & 3);
        long query = task.Row(task.First + stagedRow, a.Heads, head, a.Width);
        int queryWidth = task.First + stagedRow < task.Length ? a.Width : 0;
        RowState row0 = new(a, task, first, head), row1 = new(a, task, first + 1, head), row2 = new(a, task, first + 2, head), row3 = new(a, task, first + 3, head);
        Float4 largest = new(row0.Largest, row1.Largest, row2.Largest, row3.Largest);
        Float4 factor = new(row0.Factor, row1.Factor, row2.Factor, row3.Factor);
        Float4 mean = new(row0.Mean, row1.Mean, row2.Mean, row3.Mean);
        SumTile d = default;
        for (int block = 0; block < end; block += Tile)
        {
            ProductTile scores = default, slope = default;
            int position = block + stagedRow;
            bool past = position < task.Past;
            long key = position < end ? task.Position(position, a, kvHead) : 0;
            int keyWidth = position < end ? a.Width : 0;
            for (int c = stagedColumn; c - stagedColumn < a.Width; c += Depth)
            {
                StageTurned(a.Q, query, queryWidth - c, c, a.Aligned, staged);
                StageTurned(past ? a.PastK : a.K, key, keyWidth - c, c, a.Aligned, staged.SubView(Slice, Slice));
                StageTurned(a.Dy, query, queryWidth - c, c, a.Aligned, staged.SubView(2 * Slice, Slice));
                StageTurned(past ? a.PastV : a.V, key, keyWidth - c, c, a.Aligned, staged.SubView(3 * Slice, Slice));
                Group.Barrier();
                if (live)
                {
                    scores.AddColumns(stagedFours, stagedFours.SubView(Slice / 4, Slice / 4), r, o);
                    slope.AddColumns(stagedFours.SubView(Slice / 2, Slice / 4), stagedFours.SubView(3 * Slice / 4, Slice / 4), r, o);
                }

                Group.Barrier();
            }

            slope.First = Float4.Exp((scores.First * a.Scale) - largest) * factor * (slope.First - mean) * a.Scale;
            slope.Second = Float4.Exp((scores.Second * a.Scale) - largest) * factor * (slope.Second - mean) * a.Scale;
            slope.Third = Float4.Exp((scores.Third * a.Scale) - largest) * factor * (slope.Third - mean) * a.Scale;
            slope.Fourth = Float4.Exp((scores.Fourth * a.Scale) - largest) * factor * (slope.Fourth - mean) * a.Scale;
            slope.Publish(slopes, r, o);
            Group.Barrier();
            int seen = task.Past + first + 1 - block;
            for (int chunk = 0; chunk < Tile && block + chunk < end; chunk += Depth)
            {
                StageKeys(a, task, kvHead, block + chunk + r, end, column, stagedFours, values: false);
                Group.Barrier();
                if (live)
                {
                    int last = XMath.Min(chunk + Depth, XMath.Min(seen + 3, end - block));
                    int j = chunk;
                    for (; j < XMath.Min(seen, last); j++)
                    {
                        d.Add(slopes[(j * Fours) + r], stagedFours, ((j - chunk) * (Part / 4)) + o, 0, 4, far);
                    }

                    for (; j < last; j++)
                    {
                        d.Add(slopes[(j * Fours) + r], stagedFours, ((j - chunk) * (Part / 4)) + o, j - seen + 1, 4, far);
                    }
                }

                Group.Barrier();
            }
        }

        if (live)
        {
            d.Write(a.Out, task.Row(first, a.Heads, head, a.Width) + column, (long)a.Heads * a.Width, task.Length - first, a.Width - column, a.Aligned, a.AddFirst);
        }
    }

    /// <summary>dv = wᵀ·dy, dk = dsᵀ·q/√D for a block of own positions, over the heads that share it and the rows that see it, in order.</summary>
    internal static void KeySlopes(AttentionArguments a)
    {
        ArrayView<float> staged = SharedMemory.Allocate<float>(4 * Slice);
        ArrayView<float> shared = SharedMemory.Allocate<float>(Tile * Stride);
        ArrayView<Float4> stagedFours = staged.Cast<Float4>();
        ArrayView<Float4> published = shared.Cast<Float4>();
        AttentionTask task = new(a.Tasks, Grid.IdxX);
        int kvHead = Grid.IdxY;
        int group = a.Heads / a.KvHeads;
        int r = Group.IdxX >> 4, o = Group.IdxX & 15;
        int column = (Grid.IdxZ * Part) + (4 * o);
        bool far = a.Width - (Grid.IdxZ * Part) > Part / 2;
        int first = task.First + (4 * r);
        bool live = first < task.Length;
        int stagedRow = Group.IdxX >> 2, stagedColumn = 4 * (Group.IdxX & 3);
        long key = task.Row(task.First + stagedRow, a.KvHeads, kvHead, a.Width);
        int keyWidth = task.First + stagedRow < task.Length ? a.Width : 0;
        SumTile dk = default, dv = default;
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++)
        {
            for (int block = task.First; block < task.Length; block += Tile)
            {
                // As in the others, but the thread's four rows are own positions, and the others are rows of queries that see them.
                ProductTile weights = default, slopes = default;
                long query = task.Row(block + stagedRow, a.Heads, head, a.Width);
                int queryWidth = block + stagedRow < task.Length ? a.Width : 0;
                for (int c = stagedColumn; c - stagedColumn < a.Width; c += Depth)
                {
                    StageTurned(a.K, key, keyWidth - c, c, a.Aligned, staged);
                    StageTurned(a.Q, query, queryWidth - c, c, a.Aligned, staged.SubView(Slice, Slice));
                    StageTurned(a.V, key, keyWidth - c, c, a.Aligned, staged.SubView(2 * Slice, Slice));
                    StageTurned(a.Dy, query, queryWidth - c, c, a.Aligned, staged.SubView(3 * Slice, Slice));
                    Group.Barrier();
                    if (live)
                    {
                        weights.AddColumns(stagedFours, stagedFours.SubView(Slice / 4, Slice / 4), r, o);
                        slopes.AddColumns(stagedFours.SubView(Slice / 2, Slice / 4), stagedFours.SubView(3 * Slice / 4, Slice / 4), r, o);
                    }

                    Group.Barrier();
                }

                RowState row0 = new(a, task, block + (4 * o), head), row1 = new(a, task, block + (4 * o) + 1, head);
                RowState row2 = new(a, task, block + (4 * o) + 2, head), row3 = new(a, task, block + (4 * o) + 3, head);
                weights.First = row0.Weights(weights.First * a.Scale);
                weights.Second = row1.Weights(weights.Second * a.Scale);
                weights.Third = row2.Weights(weights.Third * a.Scale);
                weights.Fourth = row3.Weights(weights.Fourth * a.Scale);
                slopes.First = row0.Slopes(weights.First, slopes.First) * a.Scale;
                slopes.Second = row1.Slopes(weights.Second, slopes.Second) * a.Scale;
                slopes.Third = row2.Slopes(weights.Third, slopes.Third) * a.Scale;
                slopes.Fourth = row3.Slopes(weights.Fourth, slopes.Fourth) * a.Scale;
                AddRows(a, a.Dy, weights, task, first, head, block, column, stagedFours, published, far, ref dv);
                AddRows(a, a.Q, slopes, task, first, head, block, column, stagedFours, published, far, ref dk);
            }
        }

        if (live)
        {
            long at = task.Row(first, a.KvHeads, kvHead, a.Width) + column, step = (long)a.KvHeads * a.Width;
            dk.Write(a.Out, at, step, a.WantsFirst != 0 ? task.Length - first : 0, a.Width - column, a.Aligned, a.AddFirst);
            dv.Write(a.SecondOut, at, step, a.WantsSecond != 0 ? task.Length - first : 0, a.Width - column, a.Aligned, a.AddSecond);
        }
    }

    // What a block of rows of queries gives to the sums of own positions: those rows, weighted.
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
    private static void AddRows(
        AttentionArguments a, ArrayView<float> rows, ProductTile weights, AttentionTask task, int first, int head, int block, int column,
        ArrayView<Float4> stagedFours, ArrayView<Float4> published, bool far, ref SumTile sums)
    {
        int r = Group.IdxX >> 4, o = Group.IdxX & 15;
        weights.Publish(published, r, o);
        Group.Barrier();

        // The first of the thread's positions is seen from this row of the block on, the others from one more each.
        int seen = first - block;
        for (int chunk = 0; chunk < Tile && block + chunk < task.Length; chunk += Depth)
        {
            int brought = block + chunk + r;
            StageRows(rows, task.Row(brought, a.Heads, head, a.Width) + column, brought < task.Length ? a.Width - column : 0, a.Aligned, stagedFours);
            Group.Barrier();
            if (first < task.Length)
            {
                int last = XMath.Min(chunk + Depth, task.Length - block);
                int j = XMath.Max(chunk, seen);
                for (; j < XMath.Min(seen + 3, last); j++)
                {
                    sums.Add(published[(j * Fours) + r], stagedFours, ((j - chunk) * (Part / 4)) + o, 0, j - seen + 1, far);
                }

                for (; j < last; j++)
                {
                    sums.Add(published[(j * Fours) + r], stagedFours, ((j - chunk) * (Part / 4)) + o, 0, 4, far);
                }
            }

            Group.Barrier();
        }
    }

    /// <summary>What forward kept of a row and head; zeros where there is no such row.</summary>
    private readonly struct RowState
    {
        public readonly float Largest, Factor, Mean;

        public RowState(AttentionArguments a, AttentionTask task, int row, int head)
        {
            bool there = row < task.Length;
            long at = there ? task.Row(row, a.Heads, head, 1) : 0;
            Largest = there ? a.Statistics[2 * at] : 0;
            Factor = there ? a.Statistics[(2 * at) + 1] : 0;
            Mean = there ? a.Means[at] : 0;
        }

        /// <summary>Softmax weights of the row's scores with four positions.</summary>
        public Float4 Weights(Float4 scores) => new Float4(
            XMath.Exp(scores.X - Largest), XMath.Exp(scores.Y - Largest), XMath.Exp(scores.Z - Largest), XMath.Exp(scores.W - Largest)) * Factor;

        /// <summary>Gradients of the scores from those of the weights, dy·v.</summary>
        public Float4 Slopes(Float4 weights, Float4 dw) =>
            new(weights.X * (dw.X - Mean), weights.Y * (dw.Y - Mean), weights.Z * (dw.Z - Mean), weights.W * (dw.W - Mean));
    }
}
