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
internal static unsafe partial class WordKernels<L, B, V, C, S>
    where L : struct, ILanes<V>
    where B : struct, IWordLanes<V>
    where V : struct
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    private const int Lanes = FrozenWordPanels.Lanes;

    private static int Next => L.Width * sizeof(uint);

    /// <summary>Sums (rows, 64 lanes of one panel) += x·Wᵀ over whole groups of k.</summary>
    public static void Multiply(WordWork* work)
    {
        for (int lane = 0; lane < Lanes; lane += 4 * L.Width)
        {
            for (int row = 0; row < work->Rows;)
            {
                // The sums of four rows fill half of the 32 registers of AVX-512; sixteen registers have room for two.
                int together = Math.Min(work->Rows - row, L.Width == 16 ? 4 : 2);
                switch (together)
                {
                    case 1: Rows<GemmTile.H1>(work, lane, row); break;
                    case 2: Rows<GemmTile.H2>(work, lane, row); break;
                    case 3: Rows<GemmTile.H3>(work, lane, row); break;
                    default: Rows<GemmTile.H4>(work, lane, row); break;
                }

                row += together;
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
                LoadScale(group, lane, out V d, out V e, out V o);
                byte* words = group + S.Bytes + (lane * sizeof(uint));
                float* to = target + (lane / Half * panel) + (lane % Half) + (k0 * Half);
                for (int k = 0; k < groupLength; k += C.InWord)
                {
                    for (int pair = 0; pair < C.InWord; pair += 2)
                    {
                        Pair(words, pair, d, e, o, out V even, out V odd);
                        L.Store(to, even);
                        L.Store(k0 + k + pair + 1 < depth ? to + Half : beyond, odd);
                        to += 2 * Half;
                    }

                    words += Lanes * sizeof(uint);
                }
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }
    }

    private const int Half = GemmKernels.PanelWidth;

    // Four registers of AVX-512 are the whole panel: a constant saves the arithmetic on lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstLane(int lane) => 4 * L.Width == Lanes ? 0 : lane;

    // As many lines of scales as a group begins with, rounded up to four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchScales(ref PanelStreams ahead)
    {
        for (int line = 0; line < S.Bytes; line += 256)
        {
            ahead.Fetch();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(byte* words, int k, V d, V e, V o, out V even, out V odd)
    {
        C.Pair<L, B, V>(words, k, out even, out odd);
        if (S.Bytes > 0)
        {
            even = L.Fma(d, even, e);
            odd = L.Fma(d, odd, o);
        }
    }

    // The scale of a register of lanes, and the minima of its even and of its odd k.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadScale(byte* group, int lane, out V d, out V e, out V o)
    {
        S.Load<L, B, V>(group, lane, out d, out V m);
        C.Minima<L, V>(d, m, out e, out o);
    }

    // Of four registers of lanes, step lanes apart.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadScales(
        byte* group, int lane, int step, out V d0, out V d1, out V d2, out V d3, out V e0, out V e1, out V e2, out V e3, out V o0, out V o1, out V o2, out V o3)
    {
        LoadScale(group, lane, out d0, out e0, out o0);
        LoadScale(group, lane + step, out d1, out e1, out o1);
        LoadScale(group, lane + (2 * step), out d2, out e2, out o2);
        LoadScale(group, lane + (3 * step), out d3, out e3, out o3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows<H>(WordWork* work, int lane, int row)
        where H : struct, GemmTile.IHeight
    {
        lane = FirstLane(lane);
        nint xRow = work->FromRow;
        float* x = work->From + (row * xRow);
        float* y = work->Sums + (row * Lanes) + lane;
        V s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33;
        s10 = s11 = s12 = s13 = s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = L.Broadcast(0f);
        LoadFour(y, out s00, out s01, out s02, out s03);
        if (H.Rows > 1) { LoadFour(y + Lanes, out s10, out s11, out s12, out s13); }
        if (H.Rows > 2) { LoadFour(y + (2 * Lanes), out s20, out s21, out s22, out s23); }
        if (H.Rows > 3) { LoadFour(y + (3 * Lanes), out s30, out s31, out s32, out s33); }

        float* minima = work->Minima;
        float* x1 = x + xRow;
        float* x2 = x1 + xRow;
        float* x3 = x2 + xRow;
        PanelStreams ahead = work->Ahead;
        int groupLength = work->GroupLength;
        byte* group = work->Group;
        for (nint groups = work->Groups; groups > 0; groups--)
        {
            LoadScales(group, lane, L.Width, out V d0, out V d1, out V d2, out V d3, out V e0, out V e1, out V e2, out V e3, out V o0, out V o1, out V o2, out V o3);
            if (H.Rows > 2) { StoreFour(minima, e0, e1, e2, e3); StoreFour(minima + Lanes, o0, o1, o2, o3); }
            FetchScales(ref ahead);
            byte* words = group + S.Bytes + (lane * sizeof(uint));
            for (int k = 0; k < groupLength; k += C.InWord)
            {
                ahead.Fetch();
                AddWords<H>(words, d0, e0, o0, d1, e1, o1, minima, x, x1, x2, x3, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31);
                AddWords<H>(words + (2 * Next), d2, e2, o2, d3, e3, o3, minima + (2 * L.Width), x, x1, x2, x3, ref s02, ref s03, ref s12, ref s13, ref s22, ref s23, ref s32, ref s33);
                x += C.InWord; x1 += C.InWord; x2 += C.InWord; x3 += C.InWord;
                words += Lanes * sizeof(uint);
            }

            group += S.Bytes + (groupLength / C.InWord * Lanes * sizeof(uint));
        }

        StoreFour(y, s00, s01, s02, s03);
        if (H.Rows > 1) { StoreFour(y + Lanes, s10, s11, s12, s13); }
        if (H.Rows > 2) { StoreFour(y + (2 * Lanes), s20, s21, s22, s23); }
        if (H.Rows > 3) { StoreFour(y + (3 * Lanes), s30, s31, s32, s33); }
    }

    // All k of two registers of words, which share what is loaded of x. (The JIT unrolls no loop as long as this one; by hand it pays for four k.)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddWords<H>(
        byte* words, V dl, V el, V ol, V dr, V er, V or, float* minima, float* x0, float* x1, float* x2, float* x3,
        ref V l0, ref V r0, ref V l1, ref V r1, ref V l2, ref V r2, ref V l3, ref V r3)
        where H : struct, GemmTile.IHeight
    {
        for (int k = 0; k < C.InWord; k += C.InWord == 4 ? 4 : 2)
        {
            AddPairs<H>(words, k, dl, el, ol, dr, er, or, minima, x0, x1, x2, x3, ref l0, ref r0, ref l1, ref r1, ref l2, ref r2, ref l3, ref r3);
            if (C.InWord == 4)
            {
                AddPairs<H>(words, k + 2, dl, el, ol, dr, er, or, minima, x0, x1, x2, x3, ref l0, ref r0, ref l1, ref r1, ref l2, ref r2, ref l3, ref r3);
            }
        }
    }

    // Two k. Words are loaded here and not before: sums, scales and constants leave no registers for them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPairs<H>(
        byte* words, int k, V dl, V el, V ol, V dr, V er, V or, float* minima, float* x0, float* x1, float* x2, float* x3,
        ref V l0, ref V r0, ref V l1, ref V r1, ref V l2, ref V r2, ref V l3, ref V r3)
        where H : struct, GemmTile.IHeight
    {
        Pair(words, k, dl, H.Rows > 2 ? L.Load(minima) : el, H.Rows > 2 ? L.Load(minima + Lanes) : ol, out V evenL, out V oddL);
        Pair(words + Next, k, dr, H.Rows > 2 ? L.Load(minima + L.Width) : er, H.Rows > 2 ? L.Load(minima + Lanes + L.Width) : or, out V evenR, out V oddR);
        AddRow(evenL, oddL, evenR, oddR, x0 + k, ref l0, ref r0);
        if (H.Rows > 1) { AddRow(evenL, oddL, evenR, oddR, x1 + k, ref l1, ref r1); }
        if (H.Rows > 2) { AddRow(evenL, oddL, evenR, oddR, x2 + k, ref l2, ref r2); }
        if (H.Rows > 3) { AddRow(evenL, oddL, evenR, oddR, x3 + k, ref l3, ref r3); }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddRow(V evenL, V oddL, V evenR, V oddR, float* x, ref V left, ref V right)
    {
        V even = L.Broadcast(x[0]), odd = L.Broadcast(x[1]);
        left = L.Fma(odd, oddL, L.Fma(even, evenL, left));
        right = L.Fma(odd, oddR, L.Fma(even, evenR, right));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadFour(float* y, out V s0, out V s1, out V s2, out V s3) =>
        (s0, s1, s2, s3) = (L.Load(y), L.Load(y + L.Width), L.Load(y + (2 * L.Width)), L.Load(y + (3 * L.Width)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreFour(float* y, V s0, V s1, V s2, V s3)
    {
        L.Store(y, s0);
        L.Store(y + L.Width, s1);
        L.Store(y + (2 * L.Width), s2);
        L.Store(y + (3 * L.Width), s3);
    }
}
