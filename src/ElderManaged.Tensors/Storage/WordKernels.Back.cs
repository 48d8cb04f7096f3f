using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

// dx = dy·W for one to four rows: the sums of WideSums, over one panel of words.
internal static unsafe partial class WordKernels<L, B, V, C, S>
    where L : struct, ILanes<V>
    where B : struct, IWordLanes<V>
    where V : struct
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    /// <summary>Sums += dy·W for some inputs, whole groups of one panel.</summary>
    public static void AddBack(WordWork* work)
    {
        for (int lane = 0; lane < WideSums.Chains; lane += L.Width)
        {
            switch (work->Rows)
            {
                case 1: Back<GemmTile.H1>(work, lane); break;
                case 2: Back<GemmTile.H2>(work, lane); break;
                case 3: Back<GemmTile.H3>(work, lane); break;
                default: Back<GemmTile.H4>(work, lane); break;
            }
        }
    }

    // The registers of a chain: lanes l, l + 16, l + 32, l + 48 of a panel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Back<H>(WordWork* work, int lane)
        where H : struct, GemmTile.IHeight
    {
        lane = L.Width == WideSums.Chains ? 0 : lane;
        float* dy = work->From + lane;
        float* sums = work->Sums + lane;
        PanelStreams ahead = work->Ahead;
        int groupLength = work->GroupLength;
        byte* group = work->Group;
        for (nint groups = work->Groups; groups > 0; groups--)
        {
            LoadScales(group, lane, WideSums.Chains, out V d0, out V d1, out V d2, out V d3, out V m0, out V m1, out V m2, out V m3);
            FetchScales(ref ahead);
            byte* words = group + S.Bytes;
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                ahead.Fetch();
                BackWord<H>(words + (lane * sizeof(uint)), d0, d1, d2, d3, m0, m1, m2, m3, dy, sums);
                sums += C.InWord * H.Rows * WideSums.Chains;
                words += Lanes * sizeof(uint);
            }

            group = words;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackWord<H>(byte* words, V d0, V d1, V d2, V d3, V m0, V m1, V m2, V m3, float* dy, float* sums)
        where H : struct, GemmTile.IHeight
    {
        const int next = WideSums.Chains * sizeof(uint);
        V w0 = B.Load(words), w1 = B.Load(words + next), w2 = B.Load(words + (2 * next)), w3 = B.Load(words + (3 * next));
        for (int pair = 0; pair < C.InWord; pair += 2)
        {
            Pair(w0, d0, m0, out V even0, out V odd0);
            Pair(w1, d1, m1, out V even1, out V odd1);
            Pair(w2, d2, m2, out V even2, out V odd2);
            Pair(w3, d3, m3, out V even3, out V odd3);
            BackRows<H>(even0, even1, even2, even3, dy, sums);
            BackRows<H>(odd0, odd1, odd2, odd3, dy, sums + (H.Rows * WideSums.Chains));
            sums += 2 * H.Rows * WideSums.Chains;
            (w0, w1, w2, w3) = (C.Next<B, V>(w0), C.Next<B, V>(w1), C.Next<B, V>(w2), C.Next<B, V>(w3));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackRows<H>(V w0, V w1, V w2, V w3, float* dy, float* sums)
        where H : struct, GemmTile.IHeight
    {
        BackRow(w0, w1, w2, w3, dy, sums);
        if (H.Rows > 1) { BackRow(w0, w1, w2, w3, dy + Lanes, sums + WideSums.Chains); }
        if (H.Rows > 2) { BackRow(w0, w1, w2, w3, dy + (2 * Lanes), sums + (2 * WideSums.Chains)); }
        if (H.Rows > 3) { BackRow(w0, w1, w2, w3, dy + (3 * Lanes), sums + (3 * WideSums.Chains)); }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackRow(V w0, V w1, V w2, V w3, float* dy, float* sums)
    {
        V sum = L.Fma(L.Load(dy), w0, L.Load(sums));
        sum = L.Fma(L.Load(dy + WideSums.Chains), w1, sum);
        sum = L.Fma(L.Load(dy + (2 * WideSums.Chains)), w2, sum);
        L.Store(sums, L.Fma(L.Load(dy + (3 * WideSums.Chains)), w3, sum));
    }
}
