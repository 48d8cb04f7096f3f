using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector512<float>;

namespace ElderManaged.Tensors;

/// <summary>
/// dx += dy·W of stored weights for one to four rows, at <see cref="SimdLevel.Vector512"/>: the words are turned while they are still
/// narrow, so that a register holds one output's numbers of sixteen words along k, and become float32 on their way into the sums.
/// </summary>
/// <remarks>
/// <para>
/// Turning 64 bytes takes four shuffles whether they are 32 numbers or 128; floats would need as many for every 16 numbers. Each dx[k]
/// is one chain over the outputs in ascending order, with the bits of the dequantized float32 product.
/// </para>
/// <code>
///    words of a panel            turned, 16 outputs at a time          sums of this block, in registers:
///   k=0…  o0 o1 … o15 …          o0:   word 0, word 1, … word 15    →  numbers 0 of all words:  k = 0,  n, 2n …
///   k=n…  o0 o1 … o15 …    →     o1:   word 0, word 1, … word 15       numbers 1 of all words:  k = 1, n+1 …
///    …                            …                                     …
/// </code>
/// </remarks>
/// <typeparam name="C">How words become codes.</typeparam>
/// <typeparam name="S">How codes become weights.</typeparam>
internal static unsafe class WordTurn<C, S>
    where C : struct, IWordCodes
    where S : struct, IWordScales
{
    private const int Width = 16;
    private const int RowBytes = FrozenWordPanels.Lanes * sizeof(uint);

    /// <summary>Sums (rows, numbers of a word, 16 words) += dy·W for 16 rows of words of one panel.</summary>
    /// <param name="rows">1 to 4.</param>
    /// <param name="block">Where the words, or the scales of their first group, begin.</param>
    /// <param name="dy">The rows' numbers for this panel's outputs.</param>
    /// <param name="dyRow">From one row to the next.</param>
    /// <param name="outputs">How many of the panel's 64 outputs exist.</param>
    /// <param name="sums">rows·InWord registers.</param>
    /// <param name="next">Memory to ask for meanwhile, as much as this block has.</param>
    /// <param name="scratch">Room for <see cref="WordTurn.ScratchLength"/> floats.</param>
    public static void Add(int rows, byte* block, float* dy, nint dyRow, int outputs, float* sums, byte* next, float* scratch)
    {
        nint lines = ((16 * RowBytes) + (16 / GroupRows * S.Bytes) + 255) / 256;
        for (int o = 0; o < outputs; o += Width)
        {
            for (nint line = 0; line < lines; line++, next += 64)
            {
                Prefetch.Nearest((float*)next);
            }

            Turn(block, o, scratch);
            int count = Math.Min(Width, outputs - o);
            switch (rows)
            {
                case 1: Sum<GemmTile.H1>(scratch, dy + o, dyRow, count, sums); break;
                case 2: Sum<GemmTile.H2>(scratch, dy + o, dyRow, count, sums); break;
                case 3: Sum<GemmTile.H3>(scratch, dy + o, dyRow, count, sums); break;
                default: Sum<GemmTile.H4>(scratch, dy + o, dyRow, count, sums); break;
            }
        }
    }

    // Rows of words that share scales: 4, 8, or the whole block where there are none.
    private static int GroupRows => S.GroupLength == 0 ? 16 : S.GroupLength / C.InWord;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* GroupOf(byte* block, int row) => block + (row / GroupRows * (S.Bytes + (GroupRows * RowBytes)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* RowOf(byte* block, int row) => GroupOf(block, row) + S.Bytes + (row % GroupRows * RowBytes);

    // Sixteen outputs from lane on, of sixteen rows of words; then their scales, spread so that each word meets its own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn(byte* block, int lane, float* turned)
    {
        // Four rows of words always lie in one group.
        nint first = lane * sizeof(uint);
        Quarter(RowOf(block, 0) + first, out V a0, out V a1, out V a2, out V a3);
        Quarter(RowOf(block, 4) + first, out V b0, out V b1, out V b2, out V b3);
        Quarter(RowOf(block, 8) + first, out V c0, out V c1, out V c2, out V c3);
        Quarter(RowOf(block, 12) + first, out V d0, out V d1, out V d2, out V d3);
        Gather(a0, b0, c0, d0, turned);
        Gather(a1, b1, c1, d1, turned + Width);
        Gather(a2, b2, c2, d2, turned + (2 * Width));
        Gather(a3, b3, c3, d3, turned + (3 * Width));
        if (S.Bytes > 0)
        {
            S.Load<Lanes512, WordLanes512, V>(block, lane, out V s0, out V m0);
            S.Load<Lanes512, WordLanes512, V>(GroupOf(block, 8), lane, out V s2, out V m2);
            (V s1, V m1, V s3, V m3) = (s0, m0, s2, m2);
            if (GroupRows == 4)
            {
                S.Load<Lanes512, WordLanes512, V>(GroupOf(block, 4), lane, out s1, out m1);
                S.Load<Lanes512, WordLanes512, V>(GroupOf(block, 12), lane, out s3, out m3);
            }

            Spread(s0, s1, s2, s3, turned + (Width * Width));
            Spread(m0, m1, m2, m3, turned + (2 * Width * Width));
        }
    }

    // Four rows of sixteen outputs: quarter c of register m then has the four words of output 4c + m.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarter(byte* words, out V u0, out V u1, out V u2, out V u3) => Turn4(
        Vector512.Load((float*)words),
        Vector512.Load((float*)(words + RowBytes)),
        Vector512.Load((float*)(words + (2 * RowBytes))),
        Vector512.Load((float*)(words + (3 * RowBytes))),
        out u0, out u1, out u2, out u3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn4(V r0, V r1, V r2, V r3, out V u0, out V u1, out V u2, out V u3)
    {
        Vector512<double> low01 = Avx512F.UnpackLow(r0, r1).AsDouble();
        Vector512<double> high01 = Avx512F.UnpackHigh(r0, r1).AsDouble();
        Vector512<double> low23 = Avx512F.UnpackLow(r2, r3).AsDouble();
        Vector512<double> high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        u0 = Avx512F.UnpackLow(low01, low23).AsSingle();
        u1 = Avx512F.UnpackHigh(low01, low23).AsSingle();
        u2 = Avx512F.UnpackLow(high01, high23).AsSingle();
        u3 = Avx512F.UnpackHigh(high01, high23).AsSingle();
    }

    // Quarter c of each of the four becomes register 4c of the target.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Gather(V a, V b, V c, V d, float* target)
    {
        V ab = Avx512F.Shuffle4x128(a, b, 0x44);
        V cd = Avx512F.Shuffle4x128(c, d, 0x44);
        Avx512F.Shuffle4x128(ab, cd, 0x88).Store(target);
        Avx512F.Shuffle4x128(ab, cd, 0xDD).Store(target + (4 * Width));
        ab = Avx512F.Shuffle4x128(a, b, 0xEE);
        cd = Avx512F.Shuffle4x128(c, d, 0xEE);
        Avx512F.Shuffle4x128(ab, cd, 0x88).Store(target + (8 * Width));
        Avx512F.Shuffle4x128(ab, cd, 0xDD).Store(target + (12 * Width));
    }

    // Register o of the target: four times s0[o], four times s1[o], s2[o], s3[o].
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Spread(V s0, V s1, V s2, V s3, float* target)
    {
        Turn4(s0, s1, s2, s3, out V u0, out V u1, out V u2, out V u3);
        Vector512<int> four = Vector512.Create(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
        for (int c = 0; c < 4; c++, target += 4 * Width)
        {
            Avx512F.PermuteVar16x32(u0, four).Store(target);
            Avx512F.PermuteVar16x32(u1, four).Store(target + Width);
            Avx512F.PermuteVar16x32(u2, four).Store(target + (2 * Width));
            Avx512F.PermuteVar16x32(u3, four).Store(target + (3 * Width));
            four += Vector512.Create(4);
        }
    }

    private static void Sum<H>(float* turned, float* dy, nint dyRow, int outputs, float* sums)
        where H : struct, GemmTile.IHeight
    {
        // Four numbers of a word by four rows are the sums that the registers have room for.
        SumFour<H, First>(turned, dy, dyRow, outputs, sums);
        if (C.InWord > 4)
        {
            SumFour<H, Second>(turned, dy, dyRow, outputs, sums + (4 * Width));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumFour<H, P>(float* turned, float* dy, nint dyRow, int outputs, float* sums)
        where H : struct, GemmTile.IHeight
        where P : struct, IHalf
    {
        V none = V.Zero;
        V s00 = none, s01 = none, s02 = none, s03 = none;
        V s10 = none, s11 = none, s12 = none, s13 = none;
        V s20 = none, s21 = none, s22 = none, s23 = none;
        V s30 = none, s31 = none, s32 = none, s33 = none;
        nint row = C.InWord * Width;
        Load(sums, ref s00, ref s01, ref s02, ref s03);
        if (H.Rows > 1) { Load(sums + row, ref s10, ref s11, ref s12, ref s13); }
        if (H.Rows > 2) { Load(sums + (2 * row), ref s20, ref s21, ref s22, ref s23); }
        if (H.Rows > 3) { Load(sums + (3 * row), ref s30, ref s31, ref s32, ref s33); }
        for (float* end = dy + outputs; dy < end; dy++, turned += Width)
        {
            V words = Vector512.Load(turned);
            V scale = S.Bytes > 0 ? Vector512.Load(turned + (Width * Width)) : none;
            V minimum = S.Bytes > 0 ? Vector512.Load(turned + (2 * Width * Width)) : none;
            Pair(words, P.Pair, scale, minimum, out V w0, out V w1);
            (V w2, V w3) = (none, none);
            if (C.InWord > 2)
            {
                Pair(words, P.Pair + 1, scale, minimum, out w2, out w3);
            }

            Fma(dy[0], w0, w1, w2, w3, ref s00, ref s01, ref s02, ref s03);
            if (H.Rows > 1) { Fma(dy[dyRow], w0, w1, w2, w3, ref s10, ref s11, ref s12, ref s13); }
            if (H.Rows > 2) { Fma(dy[2 * dyRow], w0, w1, w2, w3, ref s20, ref s21, ref s22, ref s23); }
            if (H.Rows > 3) { Fma(dy[3 * dyRow], w0, w1, w2, w3, ref s30, ref s31, ref s32, ref s33); }
        }

        Store(sums, s00, s01, s02, s03);
        if (H.Rows > 1) { Store(sums + row, s10, s11, s12, s13); }
        if (H.Rows > 2) { Store(sums + (2 * row), s20, s21, s22, s23); }
        if (H.Rows > 3) { Store(sums + (3 * row), s30, s31, s32, s33); }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(V words, int pair, V scale, V minimum, out V first, out V second)
    {
        C.Pair<Lanes512, WordLanes512, V>(words, pair, out first, out second);
        if (S.Bytes > 0)
        {
            first = Vector512.FusedMultiplyAdd(scale, first, minimum);
            second = Vector512.FusedMultiplyAdd(scale, second, minimum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fma(float dy, V w0, V w1, V w2, V w3, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        V x = Vector512.Create(dy);
        s0 = Vector512.FusedMultiplyAdd(x, w0, s0);
        s1 = Vector512.FusedMultiplyAdd(x, w1, s1);
        if (C.InWord > 2)
        {
            s2 = Vector512.FusedMultiplyAdd(x, w2, s2);
            s3 = Vector512.FusedMultiplyAdd(x, w3, s3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(float* sums, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        s0 = Vector512.Load(sums);
        s1 = Vector512.Load(sums + Width);
        if (C.InWord > 2)
        {
            s2 = Vector512.Load(sums + (2 * Width));
            s3 = Vector512.Load(sums + (3 * Width));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* sums, V s0, V s1, V s2, V s3)
    {
        s0.Store(sums);
        s1.Store(sums + Width);
        if (C.InWord > 2)
        {
            s2.Store(sums + (2 * Width));
            s3.Store(sums + (3 * Width));
        }
    }

    // Which four numbers of a word, known when the kernel is compiled.
    private interface IHalf
    {
        static abstract int Pair { get; }
    }

    private readonly struct First : IHalf
    {
        public static int Pair => 0;
    }

    private readonly struct Second : IHalf
    {
        public static int Pair => 2;
    }
}

/// <summary>What all <see cref="WordTurn{C, S}"/> share.</summary>
internal static class WordTurn
{
    /// <summary>Floats of scratch memory: 16 turned registers of words, of scales and of minima.</summary>
    public const int ScratchLength = 3 * 16 * 16;
}
