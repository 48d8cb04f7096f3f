using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

// dx = dy·W for one to four rows: the sums of WideSums, over panels of words.
internal static unsafe partial class WordKernels<L, B, V, C, S>
    where L : struct, ILanes<V>
    where B : struct, IWordLanes<V>
    where V : struct
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    /// <summary>Sums += dy·W for some inputs, whole groups of one panel.</summary>
    /// <param name="rows">1 to 4.</param>
    /// <param name="group">The first group.</param>
    /// <param name="groups">How many.</param>
    /// <param name="groupLength">Their length.</param>
    /// <param name="dy">The rows' numbers for the panel's 64 outputs, row after row.</param>
    /// <param name="sums">Those of the first input.</param>
    /// <param name="ahead">How many bytes beyond those in use memory is asked for.</param>
    public static void AddBack(int rows, byte* group, nint groups, int groupLength, float* dy, float* sums, nint ahead)
    {
        for (int lane = 0; lane < WideSums.Chains; lane += L.Width)
        {
            switch (rows)
            {
                case 1: Back<GemmTile.H1>(group, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
                case 2: Back<GemmTile.H2>(group, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
                case 3: Back<GemmTile.H3>(group, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
                default: Back<GemmTile.H4>(group, groups, groupLength, lane, dy + lane, sums + lane, ahead); break;
            }
        }
    }

    // The registers of a chain: lanes l, l + 16, l + 32, l + 48 of a panel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Back<H>(byte* group, nint groups, int groupLength, int lane, float* dy, float* sums, nint ahead)
        where H : struct, GemmTile.IHeight
    {
        const int next = WideSums.Chains * sizeof(uint);
        lane = L.Width == WideSums.Chains ? 0 : lane;
        for (; groups > 0; groups--)
        {
            S.Load<L, B, V>(group, lane, out V d0, out V m0);
            S.Load<L, B, V>(group, lane + WideSums.Chains, out V d1, out V m1);
            S.Load<L, B, V>(group, lane + (2 * WideSums.Chains), out V d2, out V m2);
            S.Load<L, B, V>(group, lane + (3 * WideSums.Chains), out V d3, out V m3);
            PrefetchScales(group + ahead);
            byte* words = group + S.Bytes;
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                PrefetchRow(words + ahead);
                V w0 = B.Load(words + (lane * sizeof(uint)));
                V w1 = B.Load(words + (lane * sizeof(uint)) + next);
                V w2 = B.Load(words + (lane * sizeof(uint)) + (2 * next));
                V w3 = B.Load(words + (lane * sizeof(uint)) + (3 * next));
                for (int half = 0; half < C.InWord; half += 4)
                {
                    BackPair<H>(w0, w1, w2, w3, 0, d0, d1, d2, d3, m0, m1, m2, m3, dy, sums);
                    sums += 2 * H.Rows * WideSums.Chains;
                    if (C.InWord > 2)
                    {
                        BackPair<H>(w0, w1, w2, w3, 1, d0, d1, d2, d3, m0, m1, m2, m3, dy, sums);
                        sums += 2 * H.Rows * WideSums.Chains;
                    }

                    if (C.InWord > 4)
                    {
                        // Four numbers more have their turn: shifting once here keeps the loop's body small.
                        w0 = B.ShiftRight(w0, 16);
                        w1 = B.ShiftRight(w1, 16);
                        w2 = B.ShiftRight(w2, 16);
                        w3 = B.ShiftRight(w3, 16);
                    }
                }

                words += Lanes * sizeof(uint);
            }

            group = words;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackPair<H>(V w0, V w1, V w2, V w3, int pair, V d0, V d1, V d2, V d3, V m0, V m1, V m2, V m3, float* dy, float* sums)
        where H : struct, GemmTile.IHeight
    {
        Pair(w0, pair, d0, m0, out V even0, out V odd0);
        Pair(w1, pair, d1, m1, out V even1, out V odd1);
        Pair(w2, pair, d2, m2, out V even2, out V odd2);
        Pair(w3, pair, d3, m3, out V even3, out V odd3);
        BackRows<H>(even0, even1, even2, even3, dy, sums);
        BackRows<H>(odd0, odd1, odd2, odd3, dy, sums + (H.Rows * WideSums.Chains));
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
