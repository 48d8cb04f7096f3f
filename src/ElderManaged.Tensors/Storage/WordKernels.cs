using System.Runtime.CompilerServices;

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
internal static unsafe class WordKernels<L, B, V, C, S>
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
    /// Whole groups of one panel as float32: two panels of 32 lanes, one after the other, row k of each at k·32; <paramref name="depth"/> rows exist.
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
                    for (int pair = 0; pair < sizeof(uint); pair += C.PairBytes)
                    {
                        Pair(words + pair, d, m, out V even, out V odd);
                        L.Store(to, even);
                        L.Store(k0 + k + 1 < depth ? to + Half : beyond, odd);
                        to += 2 * Half;
                    }

                    words += Lanes * sizeof(uint);
                }
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }
    }

    private const int Half = Lanes / 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(byte* words, V d, V m, out V even, out V odd)
    {
        C.Pair<L, B, V>(words, out even, out odd);
        if (S.Bytes > 0)
        {
            even = L.Fma(d, even, m);
            odd = L.Fma(d, odd, m);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1(byte* group, nint groups, int groupLength, int lane, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        V s00, s01, s02, s03;
        if (accumulate)
        {
            s00 = L.Load(y);
            s01 = L.Load(y + L.Width);
            s02 = L.Load(y + (2 * L.Width));
            s03 = L.Load(y + (3 * L.Width));
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
                for (int pair = 0; pair < sizeof(uint); pair += C.PairBytes)
                {
                    Pair(words + pair, d0, m0, out V even0, out V odd0);
                    s00 = L.Fma(L.Broadcast(x[1]), odd0, L.Fma(L.Broadcast(x[0]), even0, s00));
                    Pair(words + pair + Next, d1, m1, out V even1, out V odd1);
                    s01 = L.Fma(L.Broadcast(x[1]), odd1, L.Fma(L.Broadcast(x[0]), even1, s01));
                    Pair(words + pair + (2 * Next), d2, m2, out V even2, out V odd2);
                    s02 = L.Fma(L.Broadcast(x[1]), odd2, L.Fma(L.Broadcast(x[0]), even2, s02));
                    Pair(words + pair + (3 * Next), d3, m3, out V even3, out V odd3);
                    s03 = L.Fma(L.Broadcast(x[1]), odd3, L.Fma(L.Broadcast(x[0]), even3, s03));
                    x += 2;
                }

                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        L.Store(y, s00);
        L.Store(y + L.Width, s01);
        L.Store(y + (2 * L.Width), s02);
        L.Store(y + (3 * L.Width), s03);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows2(byte* group, nint groups, int groupLength, int lane, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        V s00, s01, s02, s03;
        V s10, s11, s12, s13;
        if (accumulate)
        {
            s00 = L.Load(y);
            s01 = L.Load(y + L.Width);
            s02 = L.Load(y + (2 * L.Width));
            s03 = L.Load(y + (3 * L.Width));
            s10 = L.Load(y + yRow);
            s11 = L.Load(y + yRow + L.Width);
            s12 = L.Load(y + yRow + (2 * L.Width));
            s13 = L.Load(y + yRow + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = L.Broadcast(0f);
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
                for (int pair = 0; pair < sizeof(uint); pair += C.PairBytes)
                {
                    Pair(words + pair, d0, m0, out V even0, out V odd0);
                    s00 = L.Fma(L.Broadcast(x[1]), odd0, L.Fma(L.Broadcast(x[0]), even0, s00));
                    s10 = L.Fma(L.Broadcast(x1[1]), odd0, L.Fma(L.Broadcast(x1[0]), even0, s10));
                    Pair(words + pair + Next, d1, m1, out V even1, out V odd1);
                    s01 = L.Fma(L.Broadcast(x[1]), odd1, L.Fma(L.Broadcast(x[0]), even1, s01));
                    s11 = L.Fma(L.Broadcast(x1[1]), odd1, L.Fma(L.Broadcast(x1[0]), even1, s11));
                    Pair(words + pair + (2 * Next), d2, m2, out V even2, out V odd2);
                    s02 = L.Fma(L.Broadcast(x[1]), odd2, L.Fma(L.Broadcast(x[0]), even2, s02));
                    s12 = L.Fma(L.Broadcast(x1[1]), odd2, L.Fma(L.Broadcast(x1[0]), even2, s12));
                    Pair(words + pair + (3 * Next), d3, m3, out V even3, out V odd3);
                    s03 = L.Fma(L.Broadcast(x[1]), odd3, L.Fma(L.Broadcast(x[0]), even3, s03));
                    s13 = L.Fma(L.Broadcast(x1[1]), odd3, L.Fma(L.Broadcast(x1[0]), even3, s13));
                    x += 2; x1 += 2;
                }

                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        L.Store(y, s00);
        L.Store(y + L.Width, s01);
        L.Store(y + (2 * L.Width), s02);
        L.Store(y + (3 * L.Width), s03);
        L.Store(y + yRow, s10);
        L.Store(y + yRow + L.Width, s11);
        L.Store(y + yRow + (2 * L.Width), s12);
        L.Store(y + yRow + (3 * L.Width), s13);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4(byte* group, nint groups, int groupLength, int lane, float* x, nint xRow, float* y, nint yRow, bool accumulate)
    {
        V s00, s01, s02, s03;
        V s10, s11, s12, s13;
        V s20, s21, s22, s23;
        V s30, s31, s32, s33;
        if (accumulate)
        {
            s00 = L.Load(y);
            s01 = L.Load(y + L.Width);
            s02 = L.Load(y + (2 * L.Width));
            s03 = L.Load(y + (3 * L.Width));
            s10 = L.Load(y + yRow);
            s11 = L.Load(y + yRow + L.Width);
            s12 = L.Load(y + yRow + (2 * L.Width));
            s13 = L.Load(y + yRow + (3 * L.Width));
            s20 = L.Load(y + (2 * yRow));
            s21 = L.Load(y + (2 * yRow) + L.Width);
            s22 = L.Load(y + (2 * yRow) + (2 * L.Width));
            s23 = L.Load(y + (2 * yRow) + (3 * L.Width));
            s30 = L.Load(y + (3 * yRow));
            s31 = L.Load(y + (3 * yRow) + L.Width);
            s32 = L.Load(y + (3 * yRow) + (2 * L.Width));
            s33 = L.Load(y + (3 * yRow) + (3 * L.Width));
        }
        else
        {
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = L.Broadcast(0f);
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
                for (int pair = 0; pair < sizeof(uint); pair += C.PairBytes)
                {
                    Pair(words + pair, d0, m0, out V even0, out V odd0);
                    s00 = L.Fma(L.Broadcast(x[1]), odd0, L.Fma(L.Broadcast(x[0]), even0, s00));
                    s10 = L.Fma(L.Broadcast(x1[1]), odd0, L.Fma(L.Broadcast(x1[0]), even0, s10));
                    s20 = L.Fma(L.Broadcast(x2[1]), odd0, L.Fma(L.Broadcast(x2[0]), even0, s20));
                    s30 = L.Fma(L.Broadcast(x3[1]), odd0, L.Fma(L.Broadcast(x3[0]), even0, s30));
                    Pair(words + pair + Next, d1, m1, out V even1, out V odd1);
                    s01 = L.Fma(L.Broadcast(x[1]), odd1, L.Fma(L.Broadcast(x[0]), even1, s01));
                    s11 = L.Fma(L.Broadcast(x1[1]), odd1, L.Fma(L.Broadcast(x1[0]), even1, s11));
                    s21 = L.Fma(L.Broadcast(x2[1]), odd1, L.Fma(L.Broadcast(x2[0]), even1, s21));
                    s31 = L.Fma(L.Broadcast(x3[1]), odd1, L.Fma(L.Broadcast(x3[0]), even1, s31));
                    Pair(words + pair + (2 * Next), d2, m2, out V even2, out V odd2);
                    s02 = L.Fma(L.Broadcast(x[1]), odd2, L.Fma(L.Broadcast(x[0]), even2, s02));
                    s12 = L.Fma(L.Broadcast(x1[1]), odd2, L.Fma(L.Broadcast(x1[0]), even2, s12));
                    s22 = L.Fma(L.Broadcast(x2[1]), odd2, L.Fma(L.Broadcast(x2[0]), even2, s22));
                    s32 = L.Fma(L.Broadcast(x3[1]), odd2, L.Fma(L.Broadcast(x3[0]), even2, s32));
                    Pair(words + pair + (3 * Next), d3, m3, out V even3, out V odd3);
                    s03 = L.Fma(L.Broadcast(x[1]), odd3, L.Fma(L.Broadcast(x[0]), even3, s03));
                    s13 = L.Fma(L.Broadcast(x1[1]), odd3, L.Fma(L.Broadcast(x1[0]), even3, s13));
                    s23 = L.Fma(L.Broadcast(x2[1]), odd3, L.Fma(L.Broadcast(x2[0]), even3, s23));
                    s33 = L.Fma(L.Broadcast(x3[1]), odd3, L.Fma(L.Broadcast(x3[0]), even3, s33));
                    x += 2; x1 += 2; x2 += 2; x3 += 2;
                }

                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        L.Store(y, s00);
        L.Store(y + L.Width, s01);
        L.Store(y + (2 * L.Width), s02);
        L.Store(y + (3 * L.Width), s03);
        L.Store(y + yRow, s10);
        L.Store(y + yRow + L.Width, s11);
        L.Store(y + yRow + (2 * L.Width), s12);
        L.Store(y + yRow + (3 * L.Width), s13);
        L.Store(y + (2 * yRow), s20);
        L.Store(y + (2 * yRow) + L.Width, s21);
        L.Store(y + (2 * yRow) + (2 * L.Width), s22);
        L.Store(y + (2 * yRow) + (3 * L.Width), s23);
        L.Store(y + (3 * yRow), s30);
        L.Store(y + (3 * yRow) + L.Width, s31);
        L.Store(y + (3 * yRow) + (2 * L.Width), s32);
        L.Store(y + (3 * yRow) + (3 * L.Width), s33);
    }
}
