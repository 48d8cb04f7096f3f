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
        LoadRow(dy, out V y00, out V y01, out V y02, out V y03);
        V y10 = y00, y11 = y01, y12 = y02, y13 = y03;
        if (H.Rows > 1) { LoadRow(dy + Lanes, out y10, out y11, out y12, out y13); }
        PanelStreams ahead = work->Ahead;
        int groupLength = work->GroupLength;
        byte* group = work->Group;
        for (nint groups = work->Groups; groups > 0; groups--)
        {
            LoadScales(group, lane, WideSums.Chains, out V d0, out V d1, out V d2, out V d3, out V e0, out V e1, out V e2, out V e3, out V o0, out V o1, out V o2, out V o3);
            FetchScales(ref ahead);
            byte* words = group + S.Bytes;
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                ahead.Fetch();
                BackWord<H>(words + (lane * sizeof(uint)), d0, d1, d2, d3, e0, e1, e2, e3, o0, o1, o2, o3, y00, y01, y02, y03, y10, y11, y12, y13, dy, sums);
                sums += C.InWord * H.Rows * WideSums.Chains;
                words += Lanes * sizeof(uint);
            }

            group = words;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadRow(float* dy, out V y0, out V y1, out V y2, out V y3) => (y0, y1, y2, y3) =
        (L.Load(dy), L.Load(dy + WideSums.Chains), L.Load(dy + (2 * WideSums.Chains)), L.Load(dy + (3 * WideSums.Chains)));

    // dy of two rows stays in registers; of further ones it is loaded where it is used.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackWord<H>(
        byte* words, V d0, V d1, V d2, V d3, V e0, V e1, V e2, V e3, V o0, V o1, V o2, V o3,
        V y00, V y01, V y02, V y03, V y10, V y11, V y12, V y13, float* dy, float* sums)
        where H : struct, GemmTile.IHeight
    {
        const int next = WideSums.Chains * sizeof(uint);
        for (int pair = 0; pair < C.InWord; pair += 2)
        {
            Pair(words, pair, d0, e0, o0, out V even0, out V odd0);
            Pair(words + next, pair, d1, e1, o1, out V even1, out V odd1);
            Pair(words + (2 * next), pair, d2, e2, o2, out V even2, out V odd2);
            Pair(words + (3 * next), pair, d3, e3, o3, out V even3, out V odd3);
            float* odd = sums + (H.Rows * WideSums.Chains);
            BackRow(even0, even1, even2, even3, odd0, odd1, odd2, odd3, y00, y01, y02, y03, sums, odd);
            if (H.Rows > 1)
            {
                BackRow(even0, even1, even2, even3, odd0, odd1, odd2, odd3, y10, y11, y12, y13, sums + WideSums.Chains, odd + WideSums.Chains);
            }

            for (int row = 2; row < H.Rows; row++)
            {
                BackRow(even0, even1, even2, even3, odd0, odd1, odd2, odd3, dy + (row * Lanes), sums + (row * WideSums.Chains), odd + (row * WideSums.Chains));
            }

            sums += 2 * H.Rows * WideSums.Chains;
        }
    }

    // The chains of both inputs in turn, so that neither waits for itself, and a number of dy that is loaded serves two multiply-adds at once.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackRow(
        V even0, V even1, V even2, V even3, V odd0, V odd1, V odd2, V odd3, V y0, V y1, V y2, V y3, float* even, float* odd)
    {
        V s = L.Fma(y0, even0, L.Load(even)), t = L.Fma(y0, odd0, L.Load(odd));
        (s, t) = (L.Fma(y1, even1, s), L.Fma(y1, odd1, t));
        (s, t) = (L.Fma(y2, even2, s), L.Fma(y2, odd2, t));
        L.Store(even, L.Fma(y3, even3, s));
        L.Store(odd, L.Fma(y3, odd3, t));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackRow(V even0, V even1, V even2, V even3, V odd0, V odd1, V odd2, V odd3, float* y, float* even, float* odd)
    {
        V x = L.Load(y);
        V s = L.Fma(even0, x, L.Load(even)), t = L.Fma(odd0, x, L.Load(odd));
        x = L.Load(y + WideSums.Chains);
        (s, t) = (L.Fma(even1, x, s), L.Fma(odd1, x, t));
        x = L.Load(y + (2 * WideSums.Chains));
        (s, t) = (L.Fma(even2, x, s), L.Fma(odd2, x, t));
        x = L.Load(y + (3 * WideSums.Chains));
        L.Store(even, L.Fma(even3, x, s));
        L.Store(odd, L.Fma(odd3, x, t));
    }
}
