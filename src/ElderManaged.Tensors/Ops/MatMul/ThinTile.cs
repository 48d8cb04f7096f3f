using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// What <see cref="GemmThin"/> does with a block of k: tiles of up to 6 rows of A by up to 4 of B, with k in the lanes.
/// Always passed by address: copies of it on the way to a tile would take as long as a quarter of the tile.
/// </summary>
/// <remarks>
/// <code>
///               B   y0    y1    y2    y3         24 sums, 4 registers of B and one of A are 29 of the 32 registers of AVX-512.
///   A, row 0 ─ x   s00   s01   s02   s03         A step of sixteen k: 10 loads, 24 fused multiply-adds, which keep both multipliers busy
///   A, row 1 ─ x   s10   s11   s12   s13         for 12 cycles. (Single elements of A, spread over the lanes, would take 25 loads for as many.)
///      …            …
/// </code>
/// Narrower registers take the sixteen chains in several turns, two rows at a time.
/// </remarks>
internal unsafe struct ThinTile
{
    /// <summary>Rows of the tallest tile.</summary>
    public const int MaxRows = 6;

    private const int Chains = GemmThin.Chains;

    /// <summary>Rows of A and of B.</summary>
    public int Rows, Columns;

    /// <summary>Chains of element (i, j) at Sums + (i·Columns + j)·16.</summary>
    public float* Sums;

    /// <summary>Where the elements go in the end, and whether they are added to what is there.</summary>
    public float* C;
    public nint Ldc;
    public bool Accumulate;

    // The block, from the next tile on.
    private float* _a, _b, _sums;
    private nint _aRow, _bRow, _steps;
    private bool _begun;

    // Two rows of A that are wanted next: fetched meanwhile.
    private float* _ahead;

    /// <summary>Sums ← A·Bᵀ of some steps of sixteen k, added to what is there if they have <paramref name="begun"/>; C ← their totals when k <paramref name="ends"/>.</summary>
    public void Add(float* a, nint aRow, float* b, nint bRow, int steps, bool begun, bool ends)
    {
        _a = a;
        _aRow = aRow;
        _b = b;
        _bRow = bRow;
        _sums = Sums;
        _steps = steps;
        _begun = begun;
        fixed (ThinTile* tile = &this)
        {
            switch (Simd.Level)
            {
                case SimdLevel.Vector512: Strips<Lanes512, Vector512<float>>(tile, ends); break;
                case SimdLevel.Vector256: Strips<Lanes256, Vector256<float>>(tile, ends); break;
                case SimdLevel.Vector128: Strips<Lanes128, Vector128<float>>(tile, ends); break;
                default: Strips<Lanes1, float>(tile, ends); break;
            }
        }
    }

    private static void Strips<L, V>(ThinTile* tile, bool ends)
        where L : struct, ILanes<V>
        where V : struct
    {
        float* c = ends ? tile->C : null;
        int left = tile->Rows;
        for (; L.Width == Chains && left >= MaxRows; left -= MaxRows)
        {
            Strip<GemmTile.H6, L, V>(tile, left, ref c);
        }

        for (; L.Width == Chains && left >= 4; left -= 4)
        {
            Strip<GemmTile.H4, L, V>(tile, left, ref c);
        }

        for (; left >= 2; left -= 2)
        {
            Strip<GemmTile.H2, L, V>(tile, left, ref c);
        }

        if (left > 0)
        {
            Strip<GemmTile.H1, L, V>(tile, left, ref c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Strip<R, L, V>(ThinTile* tile, int left, ref float* c)
        where R : struct, GemmTile.IHeight
        where L : struct, ILanes<V>
        where V : struct
    {
        float* b = tile->_b, sums = tile->_sums;
        float* next = left > R.Rows ? tile->_a + (R.Rows * tile->_aRow) : tile->_a;
        int columns = tile->Columns, j = 0;
        tile->_ahead = next;
        for (; j <= columns - 4; j += 4)
        {
            tile->_ahead = next + (R.Rows * j / columns * tile->_aRow);
            Tile<R, GemmTile.H4, L, V>(tile);
        }

        for (; j <= columns - 2; j += 2)
        {
            Tile<R, GemmTile.H2, L, V>(tile);
        }

        if (j < columns)
        {
            Tile<R, GemmTile.H1, L, V>(tile);
        }

        tile->_a += R.Rows * tile->_aRow;
        tile->_b = b;
        tile->_sums = sums + (R.Rows * columns * Chains);
        for (int i = 0; c != null && i < R.Rows; i++)
        {
            // Now, while the sums are in the first-level cache.
            Finish(L.Width, columns, sums + (i * columns * Chains), c, tile->Accumulate);
            c += tile->Ldc;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<R, C, L, V>(ThinTile* w)
        where R : struct, GemmTile.IHeight
        where C : struct, GemmTile.IHeight
        where L : struct, ILanes<V>
        where V : struct
    {
        nint aRow = w->_aRow, bRow = w->_bRow, row = w->Columns * Chains;
        for (int lane = 0; lane < Chains; lane += L.Width)
        {
            V zero = L.Broadcast(0f);
            V s00 = zero, s01 = zero, s02 = zero, s03 = zero;
            V s10 = zero, s11 = zero, s12 = zero, s13 = zero;
            V s20 = zero, s21 = zero, s22 = zero, s23 = zero;
            V s30 = zero, s31 = zero, s32 = zero, s33 = zero;
            V s40 = zero, s41 = zero, s42 = zero, s43 = zero;
            V s50 = zero, s51 = zero, s52 = zero, s53 = zero;
            float* sums = w->_sums + lane;
            if (w->_begun)
            {
                s00 = L.Load(sums); if (C.Rows > 1) { s01 = L.Load(sums + Chains); } if (C.Rows > 2) { s02 = L.Load(sums + (2 * Chains)); s03 = L.Load(sums + (3 * Chains)); }
                if (R.Rows > 1) { sums += row; s10 = L.Load(sums); if (C.Rows > 1) { s11 = L.Load(sums + Chains); } if (C.Rows > 2) { s12 = L.Load(sums + (2 * Chains)); s13 = L.Load(sums + (3 * Chains)); } }
                if (R.Rows > 2) { sums += row; s20 = L.Load(sums); if (C.Rows > 1) { s21 = L.Load(sums + Chains); } if (C.Rows > 2) { s22 = L.Load(sums + (2 * Chains)); s23 = L.Load(sums + (3 * Chains)); } }
                if (R.Rows > 3) { sums += row; s30 = L.Load(sums); if (C.Rows > 1) { s31 = L.Load(sums + Chains); } if (C.Rows > 2) { s32 = L.Load(sums + (2 * Chains)); s33 = L.Load(sums + (3 * Chains)); } }
                if (R.Rows > 4) { sums += row; s40 = L.Load(sums); if (C.Rows > 1) { s41 = L.Load(sums + Chains); } if (C.Rows > 2) { s42 = L.Load(sums + (2 * Chains)); s43 = L.Load(sums + (3 * Chains)); } }
                if (R.Rows > 5) { sums += row; s50 = L.Load(sums); if (C.Rows > 1) { s51 = L.Load(sums + Chains); } if (C.Rows > 2) { s52 = L.Load(sums + (2 * Chains)); s53 = L.Load(sums + (3 * Chains)); } }
            }

            float* a = w->_a + lane, a3 = a + (3 * aRow), b = w->_b + lane, b2 = b + (2 * bRow), ahead = w->_ahead;
            nint left = w->_steps;
            do
            {
                V y0 = L.Load(b), y1 = C.Rows > 1 ? L.Load(b + bRow) : zero, y2 = C.Rows > 2 ? L.Load(b2) : zero, y3 = C.Rows > 2 ? L.Load(b2 + bRow) : zero;
                Prefetch.Nearest(ahead);
                Prefetch.Nearest(ahead + aRow);
                ahead += Chains;
                { V x = L.Load(a); s00 = L.Fma(x, y0, s00); if (C.Rows > 1) { s01 = L.Fma(x, y1, s01); } if (C.Rows > 2) { s02 = L.Fma(x, y2, s02); s03 = L.Fma(x, y3, s03); } }
                if (R.Rows > 1) { V x = L.Load(a + aRow); s10 = L.Fma(x, y0, s10); if (C.Rows > 1) { s11 = L.Fma(x, y1, s11); } if (C.Rows > 2) { s12 = L.Fma(x, y2, s12); s13 = L.Fma(x, y3, s13); } }
                if (R.Rows > 2) { V x = L.Load(a + (2 * aRow)); s20 = L.Fma(x, y0, s20); if (C.Rows > 1) { s21 = L.Fma(x, y1, s21); } if (C.Rows > 2) { s22 = L.Fma(x, y2, s22); s23 = L.Fma(x, y3, s23); } }
                if (R.Rows > 3) { V x = L.Load(a3); s30 = L.Fma(x, y0, s30); if (C.Rows > 1) { s31 = L.Fma(x, y1, s31); } if (C.Rows > 2) { s32 = L.Fma(x, y2, s32); s33 = L.Fma(x, y3, s33); } }
                if (R.Rows > 4) { V x = L.Load(a3 + aRow); s40 = L.Fma(x, y0, s40); if (C.Rows > 1) { s41 = L.Fma(x, y1, s41); } if (C.Rows > 2) { s42 = L.Fma(x, y2, s42); s43 = L.Fma(x, y3, s43); } }
                if (R.Rows > 5) { V x = L.Load(a3 + (2 * aRow)); s50 = L.Fma(x, y0, s50); if (C.Rows > 1) { s51 = L.Fma(x, y1, s51); } if (C.Rows > 2) { s52 = L.Fma(x, y2, s52); s53 = L.Fma(x, y3, s53); } }
                a += Chains;
                if (R.Rows > 3) { a3 += Chains; }
                b += Chains;
                if (C.Rows > 2) { b2 += Chains; }
            }
            while (--left > 0);

            sums = w->_sums + lane;
            L.Store(sums, s00); if (C.Rows > 1) { L.Store(sums + Chains, s01); } if (C.Rows > 2) { L.Store(sums + (2 * Chains), s02); L.Store(sums + (3 * Chains), s03); }
            if (R.Rows > 1) { sums += row; L.Store(sums, s10); if (C.Rows > 1) { L.Store(sums + Chains, s11); } if (C.Rows > 2) { L.Store(sums + (2 * Chains), s12); L.Store(sums + (3 * Chains), s13); } }
            if (R.Rows > 2) { sums += row; L.Store(sums, s20); if (C.Rows > 1) { L.Store(sums + Chains, s21); } if (C.Rows > 2) { L.Store(sums + (2 * Chains), s22); L.Store(sums + (3 * Chains), s23); } }
            if (R.Rows > 3) { sums += row; L.Store(sums, s30); if (C.Rows > 1) { L.Store(sums + Chains, s31); } if (C.Rows > 2) { L.Store(sums + (2 * Chains), s32); L.Store(sums + (3 * Chains), s33); } }
            if (R.Rows > 4) { sums += row; L.Store(sums, s40); if (C.Rows > 1) { L.Store(sums + Chains, s41); } if (C.Rows > 2) { L.Store(sums + (2 * Chains), s42); L.Store(sums + (3 * Chains), s43); } }
            if (R.Rows > 5) { sums += row; L.Store(sums, s50); if (C.Rows > 1) { L.Store(sums + Chains, s51); } if (C.Rows > 2) { L.Store(sums + (2 * Chains), s52); L.Store(sums + (3 * Chains), s53); } }
        }

        w->_b += C.Rows * bRow;
        w->_sums += C.Rows * Chains;
    }

    // The elements of a row. Sixteen at a time: halves of the sums of two columns side by side, then quarters of four, then two rounds of zipping.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(int width, int columns, float* s, float* c, bool accumulate)
    {
        if (width == Chains && columns == GemmThin.MaxColumns)
        {
            Vector512<float> t0 = Quarters(Halves(s), Halves(s + (8 * Chains))), t1 = Quarters(Halves(s + Chains), Halves(s + (9 * Chains)));
            Vector512<float> t2 = Quarters(Halves(s + (2 * Chains)), Halves(s + (10 * Chains))), t3 = Quarters(Halves(s + (3 * Chains)), Halves(s + (11 * Chains)));
            Vector512<double> t01 = (Avx512F.UnpackLow(t0, t1) + Avx512F.UnpackHigh(t0, t1)).AsDouble();
            Vector512<double> t23 = (Avx512F.UnpackLow(t2, t3) + Avx512F.UnpackHigh(t2, t3)).AsDouble();
            Vector512<float> total = Avx512F.UnpackLow(t01, t23).AsSingle() + Avx512F.UnpackHigh(t01, t23).AsSingle();
            (accumulate ? Vector512.Load(c) + total : total).Store(c);
            return;
        }

        for (int j = 0; j < columns; j++, s += Chains)
        {
            Vector128<float> four = (Vector128.Load(s) + Vector128.Load(s + 8)) + (Vector128.Load(s + 4) + Vector128.Load(s + 12));
            float total = (four[0] + four[2]) + (four[1] + four[3]);
            c[j] = accumulate ? c[j] + total : total;
        }
    }

    // Column j in the lower half, j + 4 in the upper: lanes l and l + 8 added.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Halves(float* s) =>
        Vector512.Create(Vector256.Load(s), Vector256.Load(s + (4 * Chains))) + Vector512.Create(Vector256.Load(s + 8), Vector256.Load(s + (4 * Chains) + 8));

    // Columns j, j + 4, j + 8, j + 12: lanes l and l + 4 added.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(Vector512<float> low, Vector512<float> high) =>
        Avx512F.Shuffle4x128(low, high, 0b10_00_10_00) + Avx512F.Shuffle4x128(low, high, 0b11_01_11_01);
}
