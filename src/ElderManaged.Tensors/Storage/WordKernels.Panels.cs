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
// busy than one. Each lane's own chain of sums is the one of Rows1.
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
        V s00, s01, s02, s03;
        V s10, s11, s12, s13;
        if (accumulate)
        {
            s00 = L.Load(y); s01 = L.Load(y + L.Width); s02 = L.Load(y + (2 * L.Width)); s03 = L.Load(y + (3 * L.Width));
            s10 = L.Load(y + Lanes); s11 = L.Load(y + Lanes + L.Width); s12 = L.Load(y + Lanes + (2 * L.Width)); s13 = L.Load(y + Lanes + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = L.Broadcast(0f);
            s10 = s11 = s12 = s13 = L.Broadcast(0f);
        }

        for (; groups > 0; groups--)
        {
            S.Load<L, B, V>(group, 0, out V d00, out V m00);
            S.Load<L, B, V>(group, L.Width, out V d01, out V m01);
            S.Load<L, B, V>(group, 2 * L.Width, out V d02, out V m02);
            S.Load<L, B, V>(group, 3 * L.Width, out V d03, out V m03);
            S.Load<L, B, V>(group + panelBytes, 0, out V d10, out V m10);
            S.Load<L, B, V>(group + panelBytes, L.Width, out V d11, out V m11);
            S.Load<L, B, V>(group + panelBytes, 2 * L.Width, out V d12, out V m12);
            S.Load<L, B, V>(group + panelBytes, 3 * L.Width, out V d13, out V m13);
            PrefetchScales(group + ahead);
            PrefetchScales(group + panelBytes + ahead);
            byte* words = group + S.Bytes;
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                PrefetchRow(words + ahead);
                PrefetchRow(words + panelBytes + ahead);
                Word1(B.Load(words), d00, m00, x, ref s00);
                Word1(B.Load(words + Next), d01, m01, x, ref s01);
                Word1(B.Load(words + (2 * Next)), d02, m02, x, ref s02);
                Word1(B.Load(words + (3 * Next)), d03, m03, x, ref s03);
                Word1(B.Load(words + panelBytes), d10, m10, x, ref s10);
                Word1(B.Load(words + panelBytes + Next), d11, m11, x, ref s11);
                Word1(B.Load(words + panelBytes + (2 * Next)), d12, m12, x, ref s12);
                Word1(B.Load(words + panelBytes + (3 * Next)), d13, m13, x, ref s13);
                x += C.InWord;
                words += Lanes * sizeof(uint);
            }

            group = words;
        }

        L.Store(y, s00); L.Store(y + L.Width, s01); L.Store(y + (2 * L.Width), s02); L.Store(y + (3 * L.Width), s03);
        y += Lanes;
        L.Store(y, s10); L.Store(y + L.Width, s11); L.Store(y + (2 * L.Width), s12); L.Store(y + (3 * L.Width), s13);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panels4(byte* words, nint panelBytes, nint depth, float* x, float* y, bool accumulate, nint ahead)
    {
        V none = L.Broadcast(0f);
        V s00, s01, s02, s03;
        V s10, s11, s12, s13;
        V s20, s21, s22, s23;
        V s30, s31, s32, s33;
        if (accumulate)
        {
            s00 = L.Load(y); s01 = L.Load(y + L.Width); s02 = L.Load(y + (2 * L.Width)); s03 = L.Load(y + (3 * L.Width));
            s10 = L.Load(y + Lanes); s11 = L.Load(y + Lanes + L.Width); s12 = L.Load(y + Lanes + (2 * L.Width)); s13 = L.Load(y + Lanes + (3 * L.Width));
            s20 = L.Load(y + (2 * Lanes)); s21 = L.Load(y + (2 * Lanes) + L.Width); s22 = L.Load(y + (2 * Lanes) + (2 * L.Width)); s23 = L.Load(y + (2 * Lanes) + (3 * L.Width));
            s30 = L.Load(y + (3 * Lanes)); s31 = L.Load(y + (3 * Lanes) + L.Width); s32 = L.Load(y + (3 * Lanes) + (2 * L.Width)); s33 = L.Load(y + (3 * Lanes) + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = none;
            s10 = s11 = s12 = s13 = none;
            s20 = s21 = s22 = s23 = none;
            s30 = s31 = s32 = s33 = none;
        }

        byte* words2 = words + (2 * panelBytes);
        for (; depth > 0; depth -= C.InWord)
        {
            PrefetchRow(words + ahead);
            PrefetchRow(words + panelBytes + ahead);
            PrefetchRow(words2 + ahead);
            PrefetchRow(words2 + panelBytes + ahead);
            Pair1(B.Load(words), 0, none, none, x, ref s00);
            Pair1(B.Load(words + Next), 0, none, none, x, ref s01);
            Pair1(B.Load(words + (2 * Next)), 0, none, none, x, ref s02);
            Pair1(B.Load(words + (3 * Next)), 0, none, none, x, ref s03);
            Pair1(B.Load(words + panelBytes), 0, none, none, x, ref s10);
            Pair1(B.Load(words + panelBytes + Next), 0, none, none, x, ref s11);
            Pair1(B.Load(words + panelBytes + (2 * Next)), 0, none, none, x, ref s12);
            Pair1(B.Load(words + panelBytes + (3 * Next)), 0, none, none, x, ref s13);
            Pair1(B.Load(words2), 0, none, none, x, ref s20);
            Pair1(B.Load(words2 + Next), 0, none, none, x, ref s21);
            Pair1(B.Load(words2 + (2 * Next)), 0, none, none, x, ref s22);
            Pair1(B.Load(words2 + (3 * Next)), 0, none, none, x, ref s23);
            Pair1(B.Load(words2 + panelBytes), 0, none, none, x, ref s30);
            Pair1(B.Load(words2 + panelBytes + Next), 0, none, none, x, ref s31);
            Pair1(B.Load(words2 + panelBytes + (2 * Next)), 0, none, none, x, ref s32);
            Pair1(B.Load(words2 + panelBytes + (3 * Next)), 0, none, none, x, ref s33);
            x += C.InWord;
            words += Lanes * sizeof(uint);
            words2 += Lanes * sizeof(uint);
        }

        L.Store(y, s00); L.Store(y + L.Width, s01); L.Store(y + (2 * L.Width), s02); L.Store(y + (3 * L.Width), s03);
        y += Lanes;
        L.Store(y, s10); L.Store(y + L.Width, s11); L.Store(y + (2 * L.Width), s12); L.Store(y + (3 * L.Width), s13);
        y += Lanes;
        L.Store(y, s20); L.Store(y + L.Width, s21); L.Store(y + (2 * L.Width), s22); L.Store(y + (3 * L.Width), s23);
        y += Lanes;
        L.Store(y, s30); L.Store(y + L.Width, s31); L.Store(y + (2 * L.Width), s32); L.Store(y + (3 * L.Width), s33);
    }

    // All k of one register of words of 16 or 8 bits, for 1 row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Word1(V words, V d, V m, float* x, ref V s)
    {
        Pair1(words, 0, d, m, x, ref s);
        if (C.InWord > 2)
        {
            Pair1(words, 1, d, m, x, ref s);
        }
    }
}
