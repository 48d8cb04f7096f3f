using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

// One row of x by two or four panels at once, for registers that hold a quarter of a panel.
//
//   panel 0   | words k=0 | words k=n | …            → sums of 64 outputs
//   panel 1   | words k=0 | words k=n | …            → sums of 64 outputs
//   in turn:     0, 1, …     0, 1, …
//
// A prefetcher follows each stream of memory by itself, and only as far as a page reaches: several streams keep more of the memory
// busy than one. Each lane's own chain of sums is the one of Rows.
internal static unsafe partial class WordKernels<L, B, V, C, S>
    where L : struct, ILanes<V>
    where B : struct, IWordLanes<V>
    where V : struct
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    /// <summary>
    /// y (64 lanes of each of two or four panels) = x·Wᵀ (+ y) over whole groups of k.
    /// </summary>
    /// <param name="panels">2, or 4 for formats without scales, whose registers the scales would need.</param>
    /// <param name="panel">The first panel.</param>
    /// <param name="panelBytes">From one panel to the next.</param>
    /// <param name="groups">How many groups of k.</param>
    /// <param name="groupLength">Their length.</param>
    /// <param name="x">The row.</param>
    /// <param name="y">Its products, panel after panel.</param>
    /// <param name="accumulate">Adds to y.</param>
    /// <param name="ahead">How many bytes beyond those in use memory is asked for.</param>
    public static void MultiplyPanels(int panels, byte* panel, nint panelBytes, nint groups, int groupLength, float* x, float* y, bool accumulate, nint ahead)
    {
        if (panels == 2)
        {
            Panels2(panel, panelBytes, groups, groupLength, x, y, accumulate, ahead);
        }
        else
        {
            Panels4(panel, panelBytes, groups * groupLength, x, y, accumulate, ahead);
        }
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panels2(byte* group, nint panelBytes, nint groups, int groupLength, float* x, float* y, bool accumulate, nint ahead)
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
            LoadScales(group, 0, L.Width, out V d00, out V d01, out V d02, out V d03, out V m00, out V m01, out V m02, out V m03);
            LoadScales(group + panelBytes, 0, L.Width, out V d10, out V d11, out V d12, out V d13, out V m10, out V m11, out V m12, out V m13);
            PrefetchScales(group + ahead);
            PrefetchScales(group + panelBytes + ahead);
            byte* words = group + S.Bytes;
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                PrefetchRow(words + ahead);
                PrefetchRow(words + panelBytes + ahead);
                s00 = AddWord(B.Load(words), d00, m00, x, s00);
                s01 = AddWord(B.Load(words + Next), d01, m01, x, s01);
                s02 = AddWord(B.Load(words + (2 * Next)), d02, m02, x, s02);
                s03 = AddWord(B.Load(words + (3 * Next)), d03, m03, x, s03);
                s10 = AddWord(B.Load(words + panelBytes), d10, m10, x, s10);
                s11 = AddWord(B.Load(words + panelBytes + Next), d11, m11, x, s11);
                s12 = AddWord(B.Load(words + panelBytes + (2 * Next)), d12, m12, x, s12);
                s13 = AddWord(B.Load(words + panelBytes + (3 * Next)), d13, m13, x, s13);
                x += C.InWord;
                words += Lanes * sizeof(uint);
            }

            group = words;
        }

        StoreFour(y, s00, s01, s02, s03);
        StoreFour(y + Lanes, s10, s11, s12, s13);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panels4(byte* words, nint panelBytes, nint depth, float* x, float* y, bool accumulate, nint ahead)
    {
        V none = L.Broadcast(0f);
        V s00 = none, s01 = none, s02 = none, s03 = none;
        V s10 = none, s11 = none, s12 = none, s13 = none;
        V s20 = none, s21 = none, s22 = none, s23 = none;
        V s30 = none, s31 = none, s32 = none, s33 = none;
        if (accumulate)
        {
            LoadFour(y, out s00, out s01, out s02, out s03);
            LoadFour(y + Lanes, out s10, out s11, out s12, out s13);
            LoadFour(y + (2 * Lanes), out s20, out s21, out s22, out s23);
            LoadFour(y + (3 * Lanes), out s30, out s31, out s32, out s33);
        }

        byte* words2 = words + (2 * panelBytes);
        for (; depth > 0; depth -= C.InWord)
        {
            AddRow(words, none, ahead, x, ref s00, ref s01, ref s02, ref s03);
            AddRow(words + panelBytes, none, ahead, x, ref s10, ref s11, ref s12, ref s13);
            AddRow(words2, none, ahead, x, ref s20, ref s21, ref s22, ref s23);
            AddRow(words2 + panelBytes, none, ahead, x, ref s30, ref s31, ref s32, ref s33);
            x += C.InWord;
            words += Lanes * sizeof(uint);
            words2 += Lanes * sizeof(uint);
        }

        StoreFour(y, s00, s01, s02, s03);
        StoreFour(y + Lanes, s10, s11, s12, s13);
        StoreFour(y + (2 * Lanes), s20, s21, s22, s23);
        StoreFour(y + (3 * Lanes), s30, s31, s32, s33);
    }

    // A panel's words of two k, without scales.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddRow(byte* words, V none, nint ahead, float* x, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        PrefetchRow(words + ahead);
        s0 = AddWord(B.Load(words), none, none, x, s0);
        s1 = AddWord(B.Load(words + Next), none, none, x, s1);
        s2 = AddWord(B.Load(words + (2 * Next)), none, none, x, s2);
        s3 = AddWord(B.Load(words + (3 * Next)), none, none, x, s3);
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
