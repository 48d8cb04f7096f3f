using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

// One row of x by two panels at once, for registers that hold a quarter of a panel.
//
//   panel 0   | words k=0 | words k=n | …            → sums of 64 outputs
//   panel 1   | words k=0 | words k=n | …            → sums of 64 outputs
//   in turn:     0, 1, …     0, 1, …
//
// A prefetcher follows each stream of memory by itself, and only as far as a page reaches: two streams keep more of the memory
// busy than one. Each lane's own chain of sums is the one of Rows.
internal static unsafe partial class WordKernels<L, B, V, C, S>
    where L : struct, ILanes<V>
    where B : struct, IWordLanes<V>
    where V : struct
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    /// <summary>
    /// y (64 lanes of each of two panels) = x·Wᵀ (+ y) over whole groups of k.
    /// </summary>
    /// <param name="panel">The first panel.</param>
    /// <param name="second">From there to the second.</param>
    /// <param name="groups">How many groups of k.</param>
    /// <param name="groupLength">Their length.</param>
    /// <param name="x">The row.</param>
    /// <param name="y">Its products, panel after panel.</param>
    /// <param name="accumulate">Adds to y.</param>
    /// <param name="ahead">How many bytes beyond those in use memory is asked for.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyTwo(byte* panel, nint second, nint groups, int groupLength, float* x, float* y, bool accumulate, nint ahead)
    {
        V none = L.Broadcast(0f);
        V s00 = none, s01 = none, s02 = none, s03 = none;
        V s10 = none, s11 = none, s12 = none, s13 = none;
        if (accumulate)
        {
            LoadFour(y, out s00, out s01, out s02, out s03);
            LoadFour(y + Lanes, out s10, out s11, out s12, out s13);
        }

        for (; groups > 0; groups--)
        {
            LoadScales(panel, 0, L.Width, out V d00, out V d01, out V d02, out V d03, out V m00, out V m01, out V m02, out V m03);
            LoadScales(panel + second, 0, L.Width, out V d10, out V d11, out V d12, out V d13, out V m10, out V m11, out V m12, out V m13);
            PrefetchScales(panel + ahead);
            PrefetchScales(panel + second + ahead);
            byte* words = panel + S.Bytes;
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                PrefetchRow(words + ahead);
                PrefetchRow(words + second + ahead);
                s00 = AddWord(B.Load(words), d00, m00, x, s00);
                s01 = AddWord(B.Load(words + Next), d01, m01, x, s01);
                s02 = AddWord(B.Load(words + (2 * Next)), d02, m02, x, s02);
                s03 = AddWord(B.Load(words + (3 * Next)), d03, m03, x, s03);
                s10 = AddWord(B.Load(words + second), d10, m10, x, s10);
                s11 = AddWord(B.Load(words + second + Next), d11, m11, x, s11);
                s12 = AddWord(B.Load(words + second + (2 * Next)), d12, m12, x, s12);
                s13 = AddWord(B.Load(words + second + (3 * Next)), d13, m13, x, s13);
                x += C.InWord;
                words += Lanes * sizeof(uint);
            }

            panel = words;
        }

        StoreFour(y, s00, s01, s02, s03);
        StoreFour(y + Lanes, s10, s11, s12, s13);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchRow(byte* words)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(words);
            Sse.Prefetch0(words + 64);
            Sse.Prefetch0(words + 128);
            Sse.Prefetch0(words + 192);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchScales(byte* scales)
    {
        for (int line = 0; Sse.IsSupported && line < S.Bytes; line += 64)
        {
            Sse.Prefetch0(scales + line);
        }
    }

    // All k of one register of words of 16 or 8 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V AddWord(V words, V d, V m, float* x, V sum)
    {
        Pair(words, d, m, out V even, out V odd);
        sum = AddPair(even, odd, x, sum);
        if (C.InWord > 2)
        {
            Pair(C.Next<B, V>(words), d, m, out even, out odd);
            sum = AddPair(even, odd, x + 2, sum);
        }

        return sum;
    }
}
