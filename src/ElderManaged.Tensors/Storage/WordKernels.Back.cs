using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

// dx = dy·W for one to four rows: the sums of WideSums, over one panel of words or two side by side. (Two streams of memory arrive
// faster than one, see WordKernels.Panels.cs; the chains go through the second panel after the first.)
internal static unsafe partial class WordKernels<L, B, V, C, S>
    where L : struct, ILanes<V>
    where B : struct, IWordLanes<V>
    where V : struct
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    /// <summary>Sums += dy·W for some inputs, whole groups of one panel or two.</summary>
    /// <param name="rows">1 to 4.</param>
    /// <param name="group">The first group.</param>
    /// <param name="second">From there to that of the panel beside it; 0 for one panel alone.</param>
    /// <param name="groups">How many.</param>
    /// <param name="groupLength">Their length.</param>
    /// <param name="dy">The rows' numbers for the 64 outputs of a panel, row after row, panel after panel.</param>
    /// <param name="sums">Those of the first input.</param>
    /// <param name="ahead">How many bytes beyond those in use memory is asked for.</param>
    public static void AddBack(int rows, byte* group, nint second, nint groups, int groupLength, float* dy, float* sums, nint ahead)
    {
        if (second == 0)
        {
            Back<GemmTile.H1>(rows, group, second, groups, groupLength, dy, sums, ahead);
        }
        else
        {
            Back<GemmTile.H2>(rows, group, second, groups, groupLength, dy, sums, ahead);
        }
    }

    private static void Back<P>(int rows, byte* group, nint second, nint groups, int groupLength, float* dy, float* sums, nint ahead)
        where P : struct, GemmTile.IHeight
    {
        for (int lane = 0; lane < WideSums.Chains; lane += L.Width)
        {
            switch (rows)
            {
                case 1: Back<GemmTile.H1, P>(group, second, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
                case 2: Back<GemmTile.H2, P>(group, second, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
                case 3: Back<GemmTile.H3, P>(group, second, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
                default: Back<GemmTile.H4, P>(group, second, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
            }
        }
    }

    // The registers of a chain: lanes l, l + 16, l + 32, l + 48 of a panel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Back<H, P>(byte* group, nint second, nint groups, int groupLength, int lane, float* dy, float* sums, nint ahead)
        where H : struct, GemmTile.IHeight
        where P : struct, GemmTile.IHeight
    {
        lane = L.Width == WideSums.Chains ? 0 : lane;
        V none = L.Broadcast(0f); // where there is no second panel
        V d10 = none, d11 = none, d12 = none, d13 = none, m10 = none, m11 = none, m12 = none, m13 = none;
        for (; groups > 0; groups--)
        {
            LoadScales(group, lane, WideSums.Chains, out V d00, out V d01, out V d02, out V d03, out V m00, out V m01, out V m02, out V m03);
            PrefetchScales(group + ahead);
            if (P.Rows > 1)
            {
                LoadScales(group + second, lane, WideSums.Chains, out d10, out d11, out d12, out d13, out m10, out m11, out m12, out m13);
                PrefetchScales(group + second + ahead);
            }

            byte* words = group + S.Bytes;
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                PrefetchNear(words + ahead);
                BackWord<H>(words + (lane * sizeof(uint)), d00, d01, d02, d03, m00, m01, m02, m03, dy, sums);
                if (P.Rows > 1)
                {
                    PrefetchNear(words + second + ahead);
                    BackWord<H>(words + second + (lane * sizeof(uint)), d10, d11, d12, d13, m10, m11, m12, m13, dy + (H.Rows * Lanes), sums);
                }

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
