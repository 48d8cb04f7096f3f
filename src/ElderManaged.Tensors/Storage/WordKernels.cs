using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// The kernels of stored weights: a few rows of x by four registers of outputs, and unpacking into float panels.
/// </summary>
/// <remarks>
/// <para>
/// Weights become float32 in registers, w = fma(scale, code, minimum), rounded as <see cref="StoredBlocks"/> rounds them, and enter the
/// same chain as everywhere, s ← fma(x[k], w[k], s) for k ascending: the bits of a product are those of the dequantized float32
/// matrix, for any number of rows.
/// </para>
/// <code>
///            lane … +W     +W     +W     +W          4 registers of W outputs
///   group  | scales, minima                |   → d, m in registers
///          | words k=0…  ■   ■   ■   ■     |   → 2, 4 or 8 weights a word, two at a time → sums += x[k]·w
///          | words k+n…  ■   ■   ■   ■     |
///   group  | …
/// </code>
/// </remarks>
/// <typeparam name="L">Float arithmetic of the register.</typeparam>
/// <typeparam name="B">Its words.</typeparam>
/// <typeparam name="V">The register.</typeparam>
/// <typeparam name="C">How words become codes.</typeparam>
/// <typeparam name="S">How codes become weights.</typeparam>
internal static unsafe partial class WordKernels<L, B, V, C, S>
    where L : struct, ILanes<V>
    where B : struct, IWordLanes<V>
    where V : struct
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    private const int Lanes = FrozenWordPanels.Lanes;

    private static int Next => L.Width * sizeof(uint);

    /// <summary>
    /// y (rows, 64 lanes of one panel) = x·Wᵀ (+ y) over whole groups of k.
    /// </summary>
    public static void Multiply(int rows, byte* panel, nint groups, int groupLength, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        for (int lane = 0; lane < Lanes; lane += 4 * L.Width)
        {
            for (int row = 0; row < rows;)
            {
                float* xi = x + (row * xRow);
                float* yi = y + (row * yRow) + lane;
                switch (rows - row)
                {
                    // The sums of four rows fill half of the 32 registers of AVX-512; sixteen registers have room for two.
                    case >= 4 when L.Width == 16:
                        Rows4(panel, groups, groupLength, lane, xi, xRow, yi, yRow, accumulate);
                        row += 4;
                        break;
                    case 3 when L.Width == 16:
                        Rows3(panel, groups, groupLength, lane, xi, xRow, yi, yRow, accumulate);
                        row += 3;
                        break;
                    case >= 2:
                        Rows2(panel, groups, groupLength, lane, xi, xRow, yi, yRow, accumulate);
                        row += 2;
                        break;
                    default:
                        Rows1(panel, groups, groupLength, lane, xi, xRow, yi, yRow, accumulate);
                        row++;
                        break;
                }
            }
        }
    }

    /// <summary>
    /// Whole groups of one panel as float32: panels of 32 lanes, one after the other, row k of each at k·32; <paramref name="depth"/> rows exist.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unpack(byte* group, nint groups, int groupLength, nint depth, float* target)
    {
        // Where a word reaches beyond the last k, its second half goes here.
        float* beyond = stackalloc float[Lanes];
        nint panel = depth * Half;
        for (nint k0 = 0; groups > 0; groups--, k0 += groupLength)
        {
            for (int lane = 0; lane < Lanes; lane += L.Width)
            {
                S.Load<L, B, V>(group, lane, out V d, out V m);
                byte* words = group + S.Bytes + (lane * sizeof(uint));
                float* to = target + (lane / Half * panel) + (lane % Half) + (k0 * Half);
                for (int k = 0; k < groupLength; k += C.InWord)
                {
                    V word = B.Load(words);
                    Pair(word, 0, d, m, out V even, out V odd);
                    L.Store(to, even);
                    L.Store(k0 + k + 1 < depth ? to + Half : beyond, odd);
                    if (C.InWord > 2)
                    {
                        Pair(word, 1, d, m, out even, out odd);
                        L.Store(to + (2 * Half), even);
                        L.Store(to + (3 * Half), odd);
                    }

                    if (C.InWord > 4)
                    {
                        Pair(word, 2, d, m, out even, out odd);
                        L.Store(to + (4 * Half), even);
                        L.Store(to + (5 * Half), odd);
                        Pair(word, 3, d, m, out even, out odd);
                        L.Store(to + (6 * Half), even);
                        L.Store(to + (7 * Half), odd);
                    }

                    to += C.InWord * Half;
                    words += Lanes * sizeof(uint);
                }
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }
    }

    // How far ahead of the words in use memory is asked for; 4 KB was the best of 1, 2, 4 and 8 KB.
    private const int Ahead = 4096;

    private const int Half = GemmKernels.PanelWidth;

    // Four registers of AVX-512 are the whole panel: a constant saves the arithmetic on lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstLane(int lane) => 4 * L.Width == Lanes ? 0 : lane;

    // Reading and computing overlap only as far as the processor looks ahead, which is a few words here, and hardware prefetchers
    // stop at each page: asked for early, memory is read at up to twice the speed.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* words)
    {
        if (Sse.IsSupported && L.Width >= 8)
        {
            Sse.Prefetch0(words + Ahead);
            Sse.Prefetch0(words + Ahead + 64);
            if (L.Width == 16)
            {
                Sse.Prefetch0(words + Ahead + 128);
                Sse.Prefetch0(words + Ahead + 192);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(V words, int pair, V d, V m, out V even, out V odd)
    {
        C.Pair<L, B, V>(words, pair, out even, out odd);
        if (S.Bytes > 0)
        {
            even = L.Fma(d, even, m);
            odd = L.Fma(d, odd, m);
        }
    }

    // Two k of one register of outputs, for 1 row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair1(V words, int pair, V d, V m, float* x0, ref V s0)
    {
        Pair(words, pair, d, m, out V even, out V odd);
        s0 = L.Fma(L.Broadcast(x0[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x0[2 * pair]), even, s0));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1(byte* group, nint groups, int groupLength, int lane, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        lane = FirstLane(lane);
        V s00, s01, s02, s03;
        if (accumulate)
        {
            s00 = L.Load(y); s01 = L.Load(y + L.Width); s02 = L.Load(y + (2 * L.Width)); s03 = L.Load(y + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = L.Broadcast(0f);
        }

        for (; groups > 0; groups--)
        {
            S.Load<L, B, V>(group, lane, out V d0, out V m0);
            S.Load<L, B, V>(group, lane + L.Width, out V d1, out V m1);
            S.Load<L, B, V>(group, lane + (2 * L.Width), out V d2, out V m2);
            S.Load<L, B, V>(group, lane + (3 * L.Width), out V d3, out V m3);
            byte* words = group + S.Bytes + (lane * sizeof(uint));
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                Prefetch(words);
                V w0 = B.Load(words);
                V w1 = B.Load(words + Next);
                V w2 = B.Load(words + (2 * Next));
                V w3 = B.Load(words + (3 * Next));
                Pair1(w0, 0, d0, m0, x, ref s00);
                Pair1(w1, 0, d1, m1, x, ref s01);
                Pair1(w2, 0, d2, m2, x, ref s02);
                Pair1(w3, 0, d3, m3, x, ref s03);
                if (C.InWord > 2)
                {
                    Pair1(w0, 1, d0, m0, x, ref s00);
                    Pair1(w1, 1, d1, m1, x, ref s01);
                    Pair1(w2, 1, d2, m2, x, ref s02);
                    Pair1(w3, 1, d3, m3, x, ref s03);
                }

                if (C.InWord > 4)
                {
                    Pair1(w0, 2, d0, m0, x, ref s00);
                    Pair1(w1, 2, d1, m1, x, ref s01);
                    Pair1(w2, 2, d2, m2, x, ref s02);
                    Pair1(w3, 2, d3, m3, x, ref s03);
                    Pair1(w0, 3, d0, m0, x, ref s00);
                    Pair1(w1, 3, d1, m1, x, ref s01);
                    Pair1(w2, 3, d2, m2, x, ref s02);
                    Pair1(w3, 3, d3, m3, x, ref s03);
                }

                x += C.InWord;
                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        L.Store(y, s00); L.Store(y + L.Width, s01); L.Store(y + (2 * L.Width), s02); L.Store(y + (3 * L.Width), s03);
    }

    // Two k of one register of outputs, for 2 rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair2(V words, int pair, V d, V m, float* x0, float* x1, ref V s0, ref V s1)
    {
        Pair(words, pair, d, m, out V even, out V odd);
        s0 = L.Fma(L.Broadcast(x0[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x0[2 * pair]), even, s0));
        s1 = L.Fma(L.Broadcast(x1[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x1[2 * pair]), even, s1));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows2(byte* group, nint groups, int groupLength, int lane, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        lane = FirstLane(lane);
        V s00, s01, s02, s03;
        V s10, s11, s12, s13;
        if (accumulate)
        {
            s00 = L.Load(y); s01 = L.Load(y + L.Width); s02 = L.Load(y + (2 * L.Width)); s03 = L.Load(y + (3 * L.Width));
            s10 = L.Load(y + yRow); s11 = L.Load(y + yRow + L.Width); s12 = L.Load(y + yRow + (2 * L.Width)); s13 = L.Load(y + yRow + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = L.Broadcast(0f);
            s10 = s11 = s12 = s13 = L.Broadcast(0f);
        }

        float* x1 = x + xRow;
        for (; groups > 0; groups--)
        {
            S.Load<L, B, V>(group, lane, out V d0, out V m0);
            S.Load<L, B, V>(group, lane + L.Width, out V d1, out V m1);
            S.Load<L, B, V>(group, lane + (2 * L.Width), out V d2, out V m2);
            S.Load<L, B, V>(group, lane + (3 * L.Width), out V d3, out V m3);
            byte* words = group + S.Bytes + (lane * sizeof(uint));
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                Prefetch(words);
                V w0 = B.Load(words);
                V w1 = B.Load(words + Next);
                V w2 = B.Load(words + (2 * Next));
                V w3 = B.Load(words + (3 * Next));
                Pair2(w0, 0, d0, m0, x, x1, ref s00, ref s10);
                Pair2(w1, 0, d1, m1, x, x1, ref s01, ref s11);
                Pair2(w2, 0, d2, m2, x, x1, ref s02, ref s12);
                Pair2(w3, 0, d3, m3, x, x1, ref s03, ref s13);
                if (C.InWord > 2)
                {
                    Pair2(w0, 1, d0, m0, x, x1, ref s00, ref s10);
                    Pair2(w1, 1, d1, m1, x, x1, ref s01, ref s11);
                    Pair2(w2, 1, d2, m2, x, x1, ref s02, ref s12);
                    Pair2(w3, 1, d3, m3, x, x1, ref s03, ref s13);
                }

                if (C.InWord > 4)
                {
                    Pair2(w0, 2, d0, m0, x, x1, ref s00, ref s10);
                    Pair2(w1, 2, d1, m1, x, x1, ref s01, ref s11);
                    Pair2(w2, 2, d2, m2, x, x1, ref s02, ref s12);
                    Pair2(w3, 2, d3, m3, x, x1, ref s03, ref s13);
                    Pair2(w0, 3, d0, m0, x, x1, ref s00, ref s10);
                    Pair2(w1, 3, d1, m1, x, x1, ref s01, ref s11);
                    Pair2(w2, 3, d2, m2, x, x1, ref s02, ref s12);
                    Pair2(w3, 3, d3, m3, x, x1, ref s03, ref s13);
                }

                x += C.InWord; x1 += C.InWord;
                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        L.Store(y, s00); L.Store(y + L.Width, s01); L.Store(y + (2 * L.Width), s02); L.Store(y + (3 * L.Width), s03);
        L.Store(y + yRow, s10); L.Store(y + yRow + L.Width, s11); L.Store(y + yRow + (2 * L.Width), s12); L.Store(y + yRow + (3 * L.Width), s13);
    }

    // Two k of one register of outputs, for 3 rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair3(V words, int pair, V d, V m, float* x0, float* x1, float* x2, ref V s0, ref V s1, ref V s2)
    {
        Pair(words, pair, d, m, out V even, out V odd);
        s0 = L.Fma(L.Broadcast(x0[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x0[2 * pair]), even, s0));
        s1 = L.Fma(L.Broadcast(x1[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x1[2 * pair]), even, s1));
        s2 = L.Fma(L.Broadcast(x2[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x2[2 * pair]), even, s2));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows3(byte* group, nint groups, int groupLength, int lane, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        lane = FirstLane(lane);
        V s00, s01, s02, s03;
        V s10, s11, s12, s13;
        V s20, s21, s22, s23;
        if (accumulate)
        {
            s00 = L.Load(y); s01 = L.Load(y + L.Width); s02 = L.Load(y + (2 * L.Width)); s03 = L.Load(y + (3 * L.Width));
            s10 = L.Load(y + yRow); s11 = L.Load(y + yRow + L.Width); s12 = L.Load(y + yRow + (2 * L.Width)); s13 = L.Load(y + yRow + (3 * L.Width));
            s20 = L.Load(y + (2 * yRow)); s21 = L.Load(y + (2 * yRow) + L.Width); s22 = L.Load(y + (2 * yRow) + (2 * L.Width)); s23 = L.Load(y + (2 * yRow) + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = L.Broadcast(0f);
            s10 = s11 = s12 = s13 = L.Broadcast(0f);
            s20 = s21 = s22 = s23 = L.Broadcast(0f);
        }

        float* x1 = x + xRow;
        float* x2 = x + (2 * xRow);
        for (; groups > 0; groups--)
        {
            S.Load<L, B, V>(group, lane, out V d0, out V m0);
            S.Load<L, B, V>(group, lane + L.Width, out V d1, out V m1);
            S.Load<L, B, V>(group, lane + (2 * L.Width), out V d2, out V m2);
            S.Load<L, B, V>(group, lane + (3 * L.Width), out V d3, out V m3);
            byte* words = group + S.Bytes + (lane * sizeof(uint));
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                Prefetch(words);
                V w0 = B.Load(words);
                V w1 = B.Load(words + Next);
                V w2 = B.Load(words + (2 * Next));
                V w3 = B.Load(words + (3 * Next));
                Pair3(w0, 0, d0, m0, x, x1, x2, ref s00, ref s10, ref s20);
                Pair3(w1, 0, d1, m1, x, x1, x2, ref s01, ref s11, ref s21);
                Pair3(w2, 0, d2, m2, x, x1, x2, ref s02, ref s12, ref s22);
                Pair3(w3, 0, d3, m3, x, x1, x2, ref s03, ref s13, ref s23);
                if (C.InWord > 2)
                {
                    Pair3(w0, 1, d0, m0, x, x1, x2, ref s00, ref s10, ref s20);
                    Pair3(w1, 1, d1, m1, x, x1, x2, ref s01, ref s11, ref s21);
                    Pair3(w2, 1, d2, m2, x, x1, x2, ref s02, ref s12, ref s22);
                    Pair3(w3, 1, d3, m3, x, x1, x2, ref s03, ref s13, ref s23);
                }

                if (C.InWord > 4)
                {
                    Pair3(w0, 2, d0, m0, x, x1, x2, ref s00, ref s10, ref s20);
                    Pair3(w1, 2, d1, m1, x, x1, x2, ref s01, ref s11, ref s21);
                    Pair3(w2, 2, d2, m2, x, x1, x2, ref s02, ref s12, ref s22);
                    Pair3(w3, 2, d3, m3, x, x1, x2, ref s03, ref s13, ref s23);
                    Pair3(w0, 3, d0, m0, x, x1, x2, ref s00, ref s10, ref s20);
                    Pair3(w1, 3, d1, m1, x, x1, x2, ref s01, ref s11, ref s21);
                    Pair3(w2, 3, d2, m2, x, x1, x2, ref s02, ref s12, ref s22);
                    Pair3(w3, 3, d3, m3, x, x1, x2, ref s03, ref s13, ref s23);
                }

                x += C.InWord; x1 += C.InWord; x2 += C.InWord;
                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        L.Store(y, s00); L.Store(y + L.Width, s01); L.Store(y + (2 * L.Width), s02); L.Store(y + (3 * L.Width), s03);
        L.Store(y + yRow, s10); L.Store(y + yRow + L.Width, s11); L.Store(y + yRow + (2 * L.Width), s12); L.Store(y + yRow + (3 * L.Width), s13);
        L.Store(y + (2 * yRow), s20); L.Store(y + (2 * yRow) + L.Width, s21); L.Store(y + (2 * yRow) + (2 * L.Width), s22); L.Store(y + (2 * yRow) + (3 * L.Width), s23);
    }

    // Two k of one register of outputs, for 4 rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair4(V words, int pair, V d, V m, float* x0, float* x1, float* x2, float* x3, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        Pair(words, pair, d, m, out V even, out V odd);
        s0 = L.Fma(L.Broadcast(x0[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x0[2 * pair]), even, s0));
        s1 = L.Fma(L.Broadcast(x1[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x1[2 * pair]), even, s1));
        s2 = L.Fma(L.Broadcast(x2[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x2[2 * pair]), even, s2));
        s3 = L.Fma(L.Broadcast(x3[(2 * pair) + 1]), odd, L.Fma(L.Broadcast(x3[2 * pair]), even, s3));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4(byte* group, nint groups, int groupLength, int lane, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        lane = FirstLane(lane);
        V s00, s01, s02, s03;
        V s10, s11, s12, s13;
        V s20, s21, s22, s23;
        V s30, s31, s32, s33;
        if (accumulate)
        {
            s00 = L.Load(y); s01 = L.Load(y + L.Width); s02 = L.Load(y + (2 * L.Width)); s03 = L.Load(y + (3 * L.Width));
            s10 = L.Load(y + yRow); s11 = L.Load(y + yRow + L.Width); s12 = L.Load(y + yRow + (2 * L.Width)); s13 = L.Load(y + yRow + (3 * L.Width));
            s20 = L.Load(y + (2 * yRow)); s21 = L.Load(y + (2 * yRow) + L.Width); s22 = L.Load(y + (2 * yRow) + (2 * L.Width)); s23 = L.Load(y + (2 * yRow) + (3 * L.Width));
            s30 = L.Load(y + (3 * yRow)); s31 = L.Load(y + (3 * yRow) + L.Width); s32 = L.Load(y + (3 * yRow) + (2 * L.Width)); s33 = L.Load(y + (3 * yRow) + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = L.Broadcast(0f);
            s10 = s11 = s12 = s13 = L.Broadcast(0f);
            s20 = s21 = s22 = s23 = L.Broadcast(0f);
            s30 = s31 = s32 = s33 = L.Broadcast(0f);
        }

        float* x1 = x + xRow;
        float* x2 = x + (2 * xRow);
        float* x3 = x + (3 * xRow);
        for (; groups > 0; groups--)
        {
            S.Load<L, B, V>(group, lane, out V d0, out V m0);
            S.Load<L, B, V>(group, lane + L.Width, out V d1, out V m1);
            S.Load<L, B, V>(group, lane + (2 * L.Width), out V d2, out V m2);
            S.Load<L, B, V>(group, lane + (3 * L.Width), out V d3, out V m3);
            byte* words = group + S.Bytes + (lane * sizeof(uint));
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                Prefetch(words);
                V w0 = B.Load(words);
                V w1 = B.Load(words + Next);
                V w2 = B.Load(words + (2 * Next));
                V w3 = B.Load(words + (3 * Next));
                Pair4(w0, 0, d0, m0, x, x1, x2, x3, ref s00, ref s10, ref s20, ref s30);
                Pair4(w1, 0, d1, m1, x, x1, x2, x3, ref s01, ref s11, ref s21, ref s31);
                Pair4(w2, 0, d2, m2, x, x1, x2, x3, ref s02, ref s12, ref s22, ref s32);
                Pair4(w3, 0, d3, m3, x, x1, x2, x3, ref s03, ref s13, ref s23, ref s33);
                if (C.InWord > 2)
                {
                    Pair4(w0, 1, d0, m0, x, x1, x2, x3, ref s00, ref s10, ref s20, ref s30);
                    Pair4(w1, 1, d1, m1, x, x1, x2, x3, ref s01, ref s11, ref s21, ref s31);
                    Pair4(w2, 1, d2, m2, x, x1, x2, x3, ref s02, ref s12, ref s22, ref s32);
                    Pair4(w3, 1, d3, m3, x, x1, x2, x3, ref s03, ref s13, ref s23, ref s33);
                }

                if (C.InWord > 4)
                {
                    Pair4(w0, 2, d0, m0, x, x1, x2, x3, ref s00, ref s10, ref s20, ref s30);
                    Pair4(w1, 2, d1, m1, x, x1, x2, x3, ref s01, ref s11, ref s21, ref s31);
                    Pair4(w2, 2, d2, m2, x, x1, x2, x3, ref s02, ref s12, ref s22, ref s32);
                    Pair4(w3, 2, d3, m3, x, x1, x2, x3, ref s03, ref s13, ref s23, ref s33);
                    Pair4(w0, 3, d0, m0, x, x1, x2, x3, ref s00, ref s10, ref s20, ref s30);
                    Pair4(w1, 3, d1, m1, x, x1, x2, x3, ref s01, ref s11, ref s21, ref s31);
                    Pair4(w2, 3, d2, m2, x, x1, x2, x3, ref s02, ref s12, ref s22, ref s32);
                    Pair4(w3, 3, d3, m3, x, x1, x2, x3, ref s03, ref s13, ref s23, ref s33);
                }

                x += C.InWord; x1 += C.InWord; x2 += C.InWord; x3 += C.InWord;
                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        L.Store(y, s00); L.Store(y + L.Width, s01); L.Store(y + (2 * L.Width), s02); L.Store(y + (3 * L.Width), s03);
        L.Store(y + yRow, s10); L.Store(y + yRow + L.Width, s11); L.Store(y + yRow + (2 * L.Width), s12); L.Store(y + yRow + (3 * L.Width), s13);
        L.Store(y + (2 * yRow), s20); L.Store(y + (2 * yRow) + L.Width, s21); L.Store(y + (2 * yRow) + (2 * L.Width), s22); L.Store(y + (2 * yRow) + (3 * L.Width), s23);
        L.Store(y + (3 * yRow), s30); L.Store(y + (3 * yRow) + L.Width, s31); L.Store(y + (3 * yRow) + (2 * L.Width), s32); L.Store(y + (3 * yRow) + (3 * L.Width), s33);
    }
}
