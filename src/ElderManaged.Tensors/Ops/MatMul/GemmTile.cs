using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>What a micro-kernel reads and writes. Passed by address: a kernel has more of it than a call has registers.</summary>
internal unsafe struct TileWork
{
    /// <summary>A[i, p] at A + i·ARow + p·ACol; packed, plain and transposed matrices need no kernels of their own.</summary>
    public float* A;
    public nint ARow;
    public nint ACol;

    /// <summary>Where k goes on after <see cref="Depth"/> steps: p = Depth is at A + APiece. Matters when <see cref="Pieces"/> > 1.</summary>
    public nint APiece;

    /// <summary>B[p, j] at B + p·BRow + j, for all pieces one after the other.</summary>
    public float* B;
    public nint BRow;

    /// <summary>C[i, j] at C + i·Ldc + j. A kernel may write up to 32 columns.</summary>
    public float* C;
    public nint Ldc;

    public nint Depth;
    public nint Pieces;

    /// <summary>Whether the sums begin with C, or with <see cref="Bias"/> in every row where that is not null; else with zero.</summary>
    public bool Accumulate;
    public float* Bias;

    /// <summary>Memory that will be wanted soon: fetched while the kernel computes, AheadStep floats further at each k, AheadPiece at the end of each piece.</summary>
    public float* Ahead;
    public nint AheadStep;
    public nint AheadPiece;

    /// <summary>Two lines are fetched at a time: those that follow each other, or so many floats further apart.</summary>
    public nint AheadApart;
}

/// <summary>
/// The micro-kernels: up to 12 rows of C by one or two vector registers of columns, held in registers while k runs.
/// C[i, j] ← fma(A[i, p], B[p, j], C[i, j]) for p ascending: the order is the same for every kernel and width.
/// </summary>
/// <remarks>
/// <code>
///              B[p]  ┌── bl ──┬── br ──┐     24 sums, 2 registers of B and one of A fill the 32 registers of AVX-512;
///   A[0, p] ─ spread ┤   l0   │   r0   │     12 sums (6 rows) fit the 16 of AVX2.
///   A[1, p] ─ spread ┤   l1   │   r1   │     One step of k: 2 loads of B, 12 of A, 24 fused multiply-adds,
///      …             │   …    │   …    │     which keeps both multipliers busy for 12 cycles.
///   A[11,p] ─ spread ┤   l11  │   r11  │
/// </code>
/// The height is a type, so that one text gives the kernels of all heights: the JIT drops the rows that a height does not have.
/// </remarks>
internal static unsafe class GemmTile
{
    /// <summary>A tile of <paramref name="rows"/> by two registers.</summary>
    public static void Double<L, V>(int rows, TileWork* w)
        where L : struct, ILanes<V>
        where V : struct
    {
        switch (rows)
        {
            case 12: Double<H12, L, V>(w); break;
            case 11: Double<H11, L, V>(w); break;
            case 10: Double<H10, L, V>(w); break;
            case 9: Double<H9, L, V>(w); break;
            case 8: Double<H8, L, V>(w); break;
            case 7: Double<H7, L, V>(w); break;
            case 6: Double<H6, L, V>(w); break;
            case 5: Double<H5, L, V>(w); break;
            case 4: Double<H4, L, V>(w); break;
            case 3: Double<H3, L, V>(w); break;
            case 2: Double<H2, L, V>(w); break;
            default: Double<H1, L, V>(w); break;
        }
    }

    /// <summary>A tile of <paramref name="rows"/> by one register, for narrow products and the last columns.</summary>
    public static void Single<L, V>(int rows, TileWork* w)
        where L : struct, ILanes<V>
        where V : struct
    {
        switch (rows)
        {
            case 12: Single<H12, L, V>(w); break;
            case 11: Single<H11, L, V>(w); break;
            case 10: Single<H10, L, V>(w); break;
            case 9: Single<H9, L, V>(w); break;
            case 8: Single<H8, L, V>(w); break;
            case 7: Single<H7, L, V>(w); break;
            case 6: Single<H6, L, V>(w); break;
            case 5: Single<H5, L, V>(w); break;
            case 4: Single<H4, L, V>(w); break;
            case 3: Single<H3, L, V>(w); break;
            case 2: Single<H2, L, V>(w); break;
            default: Single<H1, L, V>(w); break;
        }
    }

    // a3, a6, a9: with these every row of A is one of a base plus 0, 1 or 2 strides, which is what an address can express.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Double<H, L, V>(TileWork* w)
        where H : struct, IHeight
        where L : struct, ILanes<V>
        where V : struct
    {
        V zero = L.Broadcast(0f);
        V l0 = zero, r0 = zero;
        V l1 = zero, r1 = zero;
        V l2 = zero, r2 = zero;
        V l3 = zero, r3 = zero;
        V l4 = zero, r4 = zero;
        V l5 = zero, r5 = zero;
        V l6 = zero, r6 = zero;
        V l7 = zero, r7 = zero;
        V l8 = zero, r8 = zero;
        V l9 = zero, r9 = zero;
        V l10 = zero, r10 = zero;
        V l11 = zero, r11 = zero;
        if (w->Accumulate)
        {
            float* c = w->Bias != null ? w->Bias : w->C;
            nint ldc = w->Bias != null ? 0 : w->Ldc;
            l0 = L.Load(c); r0 = L.Load(c + L.Width);
            if (H.Rows > 1) { c += ldc; l1 = L.Load(c); r1 = L.Load(c + L.Width); }
            if (H.Rows > 2) { c += ldc; l2 = L.Load(c); r2 = L.Load(c + L.Width); }
            if (H.Rows > 3) { c += ldc; l3 = L.Load(c); r3 = L.Load(c + L.Width); }
            if (H.Rows > 4) { c += ldc; l4 = L.Load(c); r4 = L.Load(c + L.Width); }
            if (H.Rows > 5) { c += ldc; l5 = L.Load(c); r5 = L.Load(c + L.Width); }
            if (H.Rows > 6) { c += ldc; l6 = L.Load(c); r6 = L.Load(c + L.Width); }
            if (H.Rows > 7) { c += ldc; l7 = L.Load(c); r7 = L.Load(c + L.Width); }
            if (H.Rows > 8) { c += ldc; l8 = L.Load(c); r8 = L.Load(c + L.Width); }
            if (H.Rows > 9) { c += ldc; l9 = L.Load(c); r9 = L.Load(c + L.Width); }
            if (H.Rows > 10) { c += ldc; l10 = L.Load(c); r10 = L.Load(c + L.Width); }
            if (H.Rows > 11) { c += ldc; l11 = L.Load(c); r11 = L.Load(c + L.Width); }
        }

        float* b = w->B;
        nint bRow = w->BRow;
        nint aRow = w->ARow;
        nint aRow2 = 2 * aRow;
        nint bStep = bRow * sizeof(float);
        nint aStep = w->ACol * sizeof(float);
        float* ahead = w->Ahead;
        nint aheadStep = w->AheadStep * sizeof(float);
        nint aheadApart = w->AheadApart;
        float* piece = w->A;
        for (nint left = w->Pieces; left > 0; left--)
        {
            float* a = piece;
            float* a3 = a + (3 * aRow);
            float* a6 = a + (6 * aRow);
            float* a9 = a + (9 * aRow);
            float* end = b + (w->Depth * bRow);
            do
            {
                V bl = L.Load(b);
                V br = L.Load(b + L.Width);
                b = Forward(b, bStep);
                Prefetch.Near(ahead);
                if (L.Width >= 16) { Prefetch.Near(ahead + 16 + aheadApart); }
                ahead = Forward(ahead, aheadStep);
                { V x = L.Broadcast(*a); l0 = L.Fma(x, bl, l0); r0 = L.Fma(x, br, r0); }
                if (H.Rows > 1) { V x = L.Broadcast(a[aRow]); l1 = L.Fma(x, bl, l1); r1 = L.Fma(x, br, r1); }
                if (H.Rows > 2) { V x = L.Broadcast(a[aRow2]); l2 = L.Fma(x, bl, l2); r2 = L.Fma(x, br, r2); }
                if (H.Rows > 3) { V x = L.Broadcast(*a3); l3 = L.Fma(x, bl, l3); r3 = L.Fma(x, br, r3); }
                if (H.Rows > 4) { V x = L.Broadcast(a3[aRow]); l4 = L.Fma(x, bl, l4); r4 = L.Fma(x, br, r4); }
                if (H.Rows > 5) { V x = L.Broadcast(a3[aRow2]); l5 = L.Fma(x, bl, l5); r5 = L.Fma(x, br, r5); }
                if (H.Rows > 6) { V x = L.Broadcast(*a6); l6 = L.Fma(x, bl, l6); r6 = L.Fma(x, br, r6); }
                if (H.Rows > 7) { V x = L.Broadcast(a6[aRow]); l7 = L.Fma(x, bl, l7); r7 = L.Fma(x, br, r7); }
                if (H.Rows > 8) { V x = L.Broadcast(a6[aRow2]); l8 = L.Fma(x, bl, l8); r8 = L.Fma(x, br, r8); }
                if (H.Rows > 9) { V x = L.Broadcast(*a9); l9 = L.Fma(x, bl, l9); r9 = L.Fma(x, br, r9); }
                if (H.Rows > 10) { V x = L.Broadcast(a9[aRow]); l10 = L.Fma(x, bl, l10); r10 = L.Fma(x, br, r10); }
                if (H.Rows > 11) { V x = L.Broadcast(a9[aRow2]); l11 = L.Fma(x, bl, l11); r11 = L.Fma(x, br, r11); }
                a = Forward(a, aStep);
                if (H.Rows > 3) { a3 = Forward(a3, aStep); }
                if (H.Rows > 6) { a6 = Forward(a6, aStep); }
                if (H.Rows > 9) { a9 = Forward(a9, aStep); }
            }
            while (b != end);

            piece += w->APiece;
            ahead += w->AheadPiece;
        }

        float* t = w->C;
        nint step = w->Ldc;
        L.Store(t, l0); L.Store(t + L.Width, r0);
        if (H.Rows > 1) { t += step; L.Store(t, l1); L.Store(t + L.Width, r1); }
        if (H.Rows > 2) { t += step; L.Store(t, l2); L.Store(t + L.Width, r2); }
        if (H.Rows > 3) { t += step; L.Store(t, l3); L.Store(t + L.Width, r3); }
        if (H.Rows > 4) { t += step; L.Store(t, l4); L.Store(t + L.Width, r4); }
        if (H.Rows > 5) { t += step; L.Store(t, l5); L.Store(t + L.Width, r5); }
        if (H.Rows > 6) { t += step; L.Store(t, l6); L.Store(t + L.Width, r6); }
        if (H.Rows > 7) { t += step; L.Store(t, l7); L.Store(t + L.Width, r7); }
        if (H.Rows > 8) { t += step; L.Store(t, l8); L.Store(t + L.Width, r8); }
        if (H.Rows > 9) { t += step; L.Store(t, l9); L.Store(t + L.Width, r9); }
        if (H.Rows > 10) { t += step; L.Store(t, l10); L.Store(t + L.Width, r10); }
        if (H.Rows > 11) { t += step; L.Store(t, l11); L.Store(t + L.Width, r11); }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Single<H, L, V>(TileWork* w)
        where H : struct, IHeight
        where L : struct, ILanes<V>
        where V : struct
    {
        V zero = L.Broadcast(0f);
        V s0 = zero;
        V s1 = zero;
        V s2 = zero;
        V s3 = zero;
        V s4 = zero;
        V s5 = zero;
        V s6 = zero;
        V s7 = zero;
        V s8 = zero;
        V s9 = zero;
        V s10 = zero;
        V s11 = zero;
        if (w->Accumulate)
        {
            float* c = w->Bias != null ? w->Bias : w->C;
            nint ldc = w->Bias != null ? 0 : w->Ldc;
            s0 = L.Load(c);
            if (H.Rows > 1) { c += ldc; s1 = L.Load(c); }
            if (H.Rows > 2) { c += ldc; s2 = L.Load(c); }
            if (H.Rows > 3) { c += ldc; s3 = L.Load(c); }
            if (H.Rows > 4) { c += ldc; s4 = L.Load(c); }
            if (H.Rows > 5) { c += ldc; s5 = L.Load(c); }
            if (H.Rows > 6) { c += ldc; s6 = L.Load(c); }
            if (H.Rows > 7) { c += ldc; s7 = L.Load(c); }
            if (H.Rows > 8) { c += ldc; s8 = L.Load(c); }
            if (H.Rows > 9) { c += ldc; s9 = L.Load(c); }
            if (H.Rows > 10) { c += ldc; s10 = L.Load(c); }
            if (H.Rows > 11) { c += ldc; s11 = L.Load(c); }
        }

        float* b = w->B;
        nint bRow = w->BRow;
        nint aRow = w->ARow;
        nint aRow2 = 2 * aRow;
        nint bStep = bRow * sizeof(float);
        nint aStep = w->ACol * sizeof(float);
        float* ahead = w->Ahead;
        nint aheadStep = w->AheadStep * sizeof(float);
        float* piece = w->A;
        for (nint left = w->Pieces; left > 0; left--)
        {
            float* a = piece;
            float* a3 = a + (3 * aRow);
            float* a6 = a + (6 * aRow);
            float* a9 = a + (9 * aRow);
            float* end = b + (w->Depth * bRow);
            do
            {
                V x = L.Load(b);
                b = Forward(b, bStep);
                if (aheadStep != 0)
                {
                    // Bound by loads, 13 for 12 multiply-adds: a hint is one more.
                    Prefetch.Near(ahead);
                    ahead = Forward(ahead, aheadStep);
                }

                s0 = L.Fma(L.Broadcast(*a), x, s0);
                if (H.Rows > 1) { s1 = L.Fma(L.Broadcast(a[aRow]), x, s1); }
                if (H.Rows > 2) { s2 = L.Fma(L.Broadcast(a[aRow2]), x, s2); }
                if (H.Rows > 3) { s3 = L.Fma(L.Broadcast(*a3), x, s3); }
                if (H.Rows > 4) { s4 = L.Fma(L.Broadcast(a3[aRow]), x, s4); }
                if (H.Rows > 5) { s5 = L.Fma(L.Broadcast(a3[aRow2]), x, s5); }
                if (H.Rows > 6) { s6 = L.Fma(L.Broadcast(*a6), x, s6); }
                if (H.Rows > 7) { s7 = L.Fma(L.Broadcast(a6[aRow]), x, s7); }
                if (H.Rows > 8) { s8 = L.Fma(L.Broadcast(a6[aRow2]), x, s8); }
                if (H.Rows > 9) { s9 = L.Fma(L.Broadcast(*a9), x, s9); }
                if (H.Rows > 10) { s10 = L.Fma(L.Broadcast(a9[aRow]), x, s10); }
                if (H.Rows > 11) { s11 = L.Fma(L.Broadcast(a9[aRow2]), x, s11); }
                a = Forward(a, aStep);
                if (H.Rows > 3) { a3 = Forward(a3, aStep); }
                if (H.Rows > 6) { a6 = Forward(a6, aStep); }
                if (H.Rows > 9) { a9 = Forward(a9, aStep); }
            }
            while (b != end);

            piece += w->APiece;
            ahead += w->AheadPiece;
        }

        float* t = w->C;
        nint step = w->Ldc;
        L.Store(t, s0);
        if (H.Rows > 1) { t += step; L.Store(t, s1); }
        if (H.Rows > 2) { t += step; L.Store(t, s2); }
        if (H.Rows > 3) { t += step; L.Store(t, s3); }
        if (H.Rows > 4) { t += step; L.Store(t, s4); }
        if (H.Rows > 5) { t += step; L.Store(t, s5); }
        if (H.Rows > 6) { t += step; L.Store(t, s6); }
        if (H.Rows > 7) { t += step; L.Store(t, s7); }
        if (H.Rows > 8) { t += step; L.Store(t, s8); }
        if (H.Rows > 9) { t += step; L.Store(t, s9); }
        if (H.Rows > 10) { t += step; L.Store(t, s10); }
        if (H.Rows > 11) { t += step; L.Store(t, s11); }
    }

    // Steps in bytes: the JIT would multiply a variable step by four at every turn of the loop.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* Forward(float* pointer, nint bytes) => (float*)((byte*)pointer + bytes);

    /// <summary>The rows of a tile, known when the kernel is compiled.</summary>
    internal interface IHeight
    {
        static abstract int Rows { get; }
    }

    internal readonly struct H1 : IHeight
    {
        public static int Rows => 1;
    }

    internal readonly struct H2 : IHeight
    {
        public static int Rows => 2;
    }

    internal readonly struct H3 : IHeight
    {
        public static int Rows => 3;
    }

    internal readonly struct H4 : IHeight
    {
        public static int Rows => 4;
    }

    internal readonly struct H5 : IHeight
    {
        public static int Rows => 5;
    }

    internal readonly struct H6 : IHeight
    {
        public static int Rows => 6;
    }

    internal readonly struct H7 : IHeight
    {
        public static int Rows => 7;
    }

    internal readonly struct H8 : IHeight
    {
        public static int Rows => 8;
    }

    internal readonly struct H9 : IHeight
    {
        public static int Rows => 9;
    }

    internal readonly struct H10 : IHeight
    {
        public static int Rows => 10;
    }

    internal readonly struct H11 : IHeight
    {
        public static int Rows => 11;
    }

    internal readonly struct H12 : IHeight
    {
        public static int Rows => 12;
    }
}
