namespace ElderManaged.Tensors;

/// <summary>
/// Divides attention into parts for the threads. A part of forward is a key/value head of a sequence with some of its rows; a part of
/// backward one or all query heads of a key/value head of a sequence. Parts write to places of their own, so they may run on any thread.
/// </summary>
internal static unsafe class AttentionKernel
{
    // About so many pairs of positions and columns a thread does in a microsecond, both products and the softmax; a third of it backward.
    private const double PairsInMicrosecond = 24_000;

    // And it reads about so many numbers of earlier positions, which lie in memory: more time than computing with them takes a single row.
    private const double PastNumbersInMicrosecond = 3_500;

    // Into so many batches parts are divided for each thread: sequences differ in length, so what is left must be small enough to share.
    private const int BatchesOfThread = 12;

    // Rows of a part of forward, which packs keys and values for itself: fewer would not pay for that.
    private const int MinPartRows = 8 * GemmKernels.MaxRows;

    public static void Forward(in AttentionState state)
    {
        int parts = state.Layout.Count * state.KvHeads;
        bool threads = CpuThreads.AreWorth(Math.Max(Pairs(state) / PairsInMicrosecond, PastNumbers(state) / PastNumbersInMicrosecond));
        int longest = 0;
        foreach (int length in state.Layout.Lengths)
        {
            longest = Math.Max(longest, length);
        }

        // Rows do not touch each other's bits, so their division may depend on the number of threads.
        int wanted = !threads || CpuThreads.Count == 1 ? 1 : (4 * CpuThreads.Count) / Math.Max(1, parts);
        AttentionState divided = state with { Pieces = Math.Clamp(wanted, 1, Math.Max(1, longest / MinPartRows)) };
        Each(divided, parts * divided.Pieces, threads, static (s, batch) => EachPart(s, batch, backward: false));
    }

    public static void Backward(in AttentionState state)
    {
        bool threads = CpuThreads.AreWorth(3 * Pairs(state) / PairsInMicrosecond);
        Each(state, state.Layout.Count * (state.Heads / state.HeadsOfBackwardPart), threads, static (s, batch) => EachPart(s, batch, backward: true));
        if (state.PartialK is not null || state.PartialV is not null)
        {
            RowBlocks.Run(state.K.Rows, state.Q.Columns, state, static (s, block) =>
            {
                AddGroups(s, s.PartialK, s.Dk, (s.Fresh & AttentionInputs.Keys) != 0, block);
                AddGroups(s, s.PartialV, s.Dv, (s.Fresh & AttentionInputs.Values) != 0, block);
            });
        }
    }

    private static double Pairs(in AttentionState state)
    {
        long pairs = 0;
        for (int s = 0; s < state.Layout.Count; s++)
        {
            pairs += (long)state.Layout.Lengths[s] * (state.Layout.Past[s] + state.Layout.Lengths[s]);
        }

        return (double)pairs * state.QueryStride;
    }

    // Of keys and values.
    private static double PastNumbers(in AttentionState state)
    {
        long positions = 0;
        foreach (int past in state.Layout.Past)
        {
            positions += past;
        }

        return 2.0 * positions * state.KeyStride;
    }

    // Handing out parts costs a little each time, and a head's neighbour is fetched ahead: threads take several at a time.
    private static void Each(AttentionState state, int parts, bool threads, Action<AttentionState, int> body)
    {
        int batches = threads ? Math.Min(parts, BatchesOfThread * CpuThreads.Count) : 1;
        int atATime = (parts + batches - 1) / Math.Max(1, batches);
        AttentionState divided = state with { Parts = parts, PartsAtATime = Math.Max(1, atATime) };
        if (batches > 1)
        {
            CpuThreads.Run((parts + atATime - 1) / atATime, divided, body);
        }
        else if (parts > 0)
        {
            body(divided, 0);
        }
    }

    // One part after the other; what the next one reads and writes is fetched during the one before.
    private static void EachPart(in AttentionState state, int batch, bool backward)
    {
        int end = Math.Min(state.Parts, (batch + 1) * state.PartsAtATime);
        AttentionPart part = default;
        for (int i = (batch * state.PartsAtATime) - 1; i < end; i++)
        {
            AttentionPart next = i + 1 == end ? default : backward ? BackwardPart(state, i + 1) : ForwardPart(state, i + 1);
            if (part.Rows > 0 && backward)
            {
                AttentionBackward.Run(state, part, next);
            }
            else if (part.Rows > 0)
            {
                AttentionForward.Run(state, part, next);
            }

            part = next;
        }

        GC.KeepAlive(state.Past);
    }

    private static AttentionPart ForwardPart(in AttentionState state, int part)
    {
        // The last rows see most, and come first, so that no thread is left alone with them.
        int pieces = state.Pieces;
        int head = part / pieces;
        int piece = pieces - 1 - (part - (head * pieces));
        int sequence = head / state.KvHeads;
        int kvHead = head - (sequence * state.KvHeads);
        int length = state.Layout.Lengths[sequence];
        int group = state.Heads / state.KvHeads;
        return new(new(state, sequence, kvHead), kvHead * group, group, (int)((long)length * piece / pieces), (int)((long)length * (piece + 1) / pieces));
    }

    private static AttentionPart BackwardPart(in AttentionState state, int part)
    {
        int group = state.Heads / state.KvHeads;
        int together = state.HeadsOfBackwardPart;
        int parts = state.Heads / together;
        int sequence = part / parts;
        int head = (part - (sequence * parts)) * together;
        return new(new(state, sequence, head / group), head, together, 0, state.Layout.Lengths[sequence]);
    }

    // gradient[row, kv head] += Σ partial[row, head] over the heads of its group, in order.
    private static void AddGroups(in AttentionState state, Tensor? partial, Tensor? gradient, bool fresh, RowBlock block)
    {
        if (partial is null || gradient is null)
        {
            return;
        }

        int group = state.Heads / state.KvHeads;
        for (int row = block.First; row < block.End; row++)
        {
            for (int kvHead = 0; kvHead < state.KvHeads; kvHead++)
            {
                float* target = gradient.Pointer + ((long)row * gradient.Columns) + (kvHead * state.Width);
                float* source = partial.Pointer + ((long)row * partial.Columns) + (kvHead * group * state.Width);
                if (fresh)
                {
                    new Span<float>(source, state.Width).CopyTo(new Span<float>(target, state.Width));
                }

                for (int h = fresh ? 1 : 0; h < group; h++)
                {
                    Reductions.AddTo(target, source + (h * state.Width), state.Width);
                }
            }
        }
    }
}
