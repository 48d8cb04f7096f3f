using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// The micro-kernels: a few rows of C by two vector registers of columns, held in registers while k runs.
/// C[i, j] ← fma(A[i, p], B[p, j], C[i, j]) for p ascending: the order is the same for every kernel and width.
/// </summary>
/// <remarks>
/// A is read through two strides (aRow from row to row, aCol from one k to the next), so packed, plain and transposed
/// matrices need no kernels of their own. B is a panel whose row p lies at b + p·bRow.
/// 24 sums, 2 registers of B and one of A fill the 32 registers of AVX-512; 12 sums fit the 16 of AVX2.
/// </remarks>
internal static unsafe class GemmKernels
{
    /// <summary>The columns of one packed panel. One width for all SIMD levels, so that a packed matrix serves them all.</summary>
    public const int PanelWidth = 32;

    /// <summary>Rows of the tallest kernel; blocks of rows are multiples of it.</summary>
    public const int MaxRows = 12;

    /// <summary>Columns of the kernel for single rows of a plain B: four panels.</summary>
    public const int WideColumns = 4 * PanelWidth;

    /// <summary>The tallest kernel for <paramref name="rows"/> rows still to do.</summary>
    public static int KernelRows(SimdLevel level, int rows) => rows switch
    {
        >= 12 when level == SimdLevel.Vector512 => 12,
        >= 8 when level == SimdLevel.Vector512 => 8,
        >= 6 => 6,
        >= 4 => 4,
        >= 2 => 2,
        _ => 1,
    };

    /// <summary>A tile of <paramref name="rows"/> (a result of <see cref="KernelRows"/>) by <paramref name="columns"/> ≤ 32. May write up to 32 columns.</summary>
    public static void Tile(SimdLevel level, int rows, int columns, nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        // A narrow tile is served by a narrower kernel: the bits are the same.
        if (level == SimdLevel.Vector512 && columns > 16)
        {
            Rows<Lanes512, Vector512<float>>(rows, k, a, aRow, aCol, b, bRow, c, ldc, accumulate);
        }
        else if (level == SimdLevel.Vector512 && rows == 12)
        {
            if (columns > 8)
            {
                Narrow12<Lanes512, Vector512<float>>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate);
            }
            else
            {
                Narrow12<Lanes256, Vector256<float>>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate);
            }
        }
        else if (level >= SimdLevel.Vector256 && columns > 8)
        {
            for (int j = 0; j < columns; j += 16)
            {
                Split<Lanes256, Vector256<float>>(rows, k, a, aRow, aCol, b + j, bRow, c + j, ldc, accumulate);
            }
        }
        else if (level >= SimdLevel.Vector128)
        {
            for (int j = 0; j < columns; j += 8)
            {
                Split<Lanes128, Vector128<float>>(rows, k, a, aRow, aCol, b + j, bRow, c + j, ldc, accumulate);
            }
        }
        else
        {
            for (int j = 0; j < columns; j += 2)
            {
                Rows<Lanes1, float>(rows, k, a, aRow, aCol, b + j, bRow, c + j, ldc, accumulate);
            }
        }
    }

    // With 16 registers at most six rows fit.
    private static void Split<L, V>(int rows, nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        while (rows > 6)
        {
            int part = rows == 8 ? 4 : 6;
            Rows<L, V>(part, k, a, aRow, aCol, b, bRow, c, ldc, accumulate);
            a += part * aRow;
            c += part * ldc;
            rows -= part;
        }

        Rows<L, V>(rows, k, a, aRow, aCol, b, bRow, c, ldc, accumulate);
    }

    private static void Rows<L, V>(int rows, nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        switch (rows)
        {
            case 12: Rows12<L, V>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate); break;
            case 8: Rows8<L, V>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate); break;
            case 6: Rows6<L, V>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate); break;
            case 4: Rows4<L, V>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate); break;
            case 2: Rows2<L, V>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate); break;
            default: Rows1<L, V>(k, a, aRow, aCol, b, bRow, c, ldc, accumulate); break;
        }
    }

    /// <summary>1 row by two registers of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1<L, V>(nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        V l0, r0;
        if (accumulate)
        {
            float* t = c;
            l0 = L.Load(t); r0 = L.Load(t + L.Width);
        }
        else
        {
            l0 = r0 = L.Broadcast(0f);
        }

        for (; k > 0; k--)
        {
            V left = L.Load(b);
            V right = L.Load(b + L.Width);
            b += bRow;
            V x = L.Broadcast(*a); l0 = L.Fma(x, left, l0); r0 = L.Fma(x, right, r0);
            a += aCol;
        }

        L.Store(c, l0); L.Store(c + L.Width, r0);
    }

    /// <summary>2 rows by two registers of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows2<L, V>(nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        V l0, r0;
        V l1, r1;
        if (accumulate)
        {
            float* t = c;
            l0 = L.Load(t); r0 = L.Load(t + L.Width); t += ldc;
            l1 = L.Load(t); r1 = L.Load(t + L.Width);
        }
        else
        {
            l0 = r0 = l1 = r1 = L.Broadcast(0f);
        }

        for (; k > 0; k--)
        {
            V left = L.Load(b);
            V right = L.Load(b + L.Width);
            b += bRow;
            V x = L.Broadcast(*a); l0 = L.Fma(x, left, l0); r0 = L.Fma(x, right, r0);
            x = L.Broadcast(a[aRow]); l1 = L.Fma(x, left, l1); r1 = L.Fma(x, right, r1);
            a += aCol;
        }

        L.Store(c, l0); L.Store(c + L.Width, r0); c += ldc;
        L.Store(c, l1); L.Store(c + L.Width, r1);
    }

    /// <summary>4 rows by two registers of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4<L, V>(nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        V l0, r0;
        V l1, r1;
        V l2, r2;
        V l3, r3;
        if (accumulate)
        {
            float* t = c;
            l0 = L.Load(t); r0 = L.Load(t + L.Width); t += ldc;
            l1 = L.Load(t); r1 = L.Load(t + L.Width); t += ldc;
            l2 = L.Load(t); r2 = L.Load(t + L.Width); t += ldc;
            l3 = L.Load(t); r3 = L.Load(t + L.Width);
        }
        else
        {
            l0 = r0 = l1 = r1 = l2 = r2 = l3 = r3 = L.Broadcast(0f);
        }

        float* a3 = a + 3 * aRow;
        nint aRow2 = 2 * aRow;
        for (; k > 0; k--)
        {
            V left = L.Load(b);
            V right = L.Load(b + L.Width);
            b += bRow;
            V x = L.Broadcast(*a); l0 = L.Fma(x, left, l0); r0 = L.Fma(x, right, r0);
            x = L.Broadcast(a[aRow]); l1 = L.Fma(x, left, l1); r1 = L.Fma(x, right, r1);
            x = L.Broadcast(a[aRow2]); l2 = L.Fma(x, left, l2); r2 = L.Fma(x, right, r2);
            x = L.Broadcast(*a3); l3 = L.Fma(x, left, l3); r3 = L.Fma(x, right, r3);
            a += aCol; a3 += aCol;
        }

        L.Store(c, l0); L.Store(c + L.Width, r0); c += ldc;
        L.Store(c, l1); L.Store(c + L.Width, r1); c += ldc;
        L.Store(c, l2); L.Store(c + L.Width, r2); c += ldc;
        L.Store(c, l3); L.Store(c + L.Width, r3);
    }

    /// <summary>6 rows by two registers of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows6<L, V>(nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        V l0, r0;
        V l1, r1;
        V l2, r2;
        V l3, r3;
        V l4, r4;
        V l5, r5;
        if (accumulate)
        {
            float* t = c;
            l0 = L.Load(t); r0 = L.Load(t + L.Width); t += ldc;
            l1 = L.Load(t); r1 = L.Load(t + L.Width); t += ldc;
            l2 = L.Load(t); r2 = L.Load(t + L.Width); t += ldc;
            l3 = L.Load(t); r3 = L.Load(t + L.Width); t += ldc;
            l4 = L.Load(t); r4 = L.Load(t + L.Width); t += ldc;
            l5 = L.Load(t); r5 = L.Load(t + L.Width);
        }
        else
        {
            l0 = r0 = l1 = r1 = l2 = r2 = l3 = r3 = l4 = r4 = l5 = r5 = L.Broadcast(0f);
        }

        float* a3 = a + 3 * aRow;
        nint aRow2 = 2 * aRow;
        for (; k > 0; k--)
        {
            V left = L.Load(b);
            V right = L.Load(b + L.Width);
            b += bRow;
            V x = L.Broadcast(*a); l0 = L.Fma(x, left, l0); r0 = L.Fma(x, right, r0);
            x = L.Broadcast(a[aRow]); l1 = L.Fma(x, left, l1); r1 = L.Fma(x, right, r1);
            x = L.Broadcast(a[aRow2]); l2 = L.Fma(x, left, l2); r2 = L.Fma(x, right, r2);
            x = L.Broadcast(*a3); l3 = L.Fma(x, left, l3); r3 = L.Fma(x, right, r3);
            x = L.Broadcast(a3[aRow]); l4 = L.Fma(x, left, l4); r4 = L.Fma(x, right, r4);
            x = L.Broadcast(a3[aRow2]); l5 = L.Fma(x, left, l5); r5 = L.Fma(x, right, r5);
            a += aCol; a3 += aCol;
        }

        L.Store(c, l0); L.Store(c + L.Width, r0); c += ldc;
        L.Store(c, l1); L.Store(c + L.Width, r1); c += ldc;
        L.Store(c, l2); L.Store(c + L.Width, r2); c += ldc;
        L.Store(c, l3); L.Store(c + L.Width, r3); c += ldc;
        L.Store(c, l4); L.Store(c + L.Width, r4); c += ldc;
        L.Store(c, l5); L.Store(c + L.Width, r5);
    }

    /// <summary>8 rows by two registers of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows8<L, V>(nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        V l0, r0;
        V l1, r1;
        V l2, r2;
        V l3, r3;
        V l4, r4;
        V l5, r5;
        V l6, r6;
        V l7, r7;
        if (accumulate)
        {
            float* t = c;
            l0 = L.Load(t); r0 = L.Load(t + L.Width); t += ldc;
            l1 = L.Load(t); r1 = L.Load(t + L.Width); t += ldc;
            l2 = L.Load(t); r2 = L.Load(t + L.Width); t += ldc;
            l3 = L.Load(t); r3 = L.Load(t + L.Width); t += ldc;
            l4 = L.Load(t); r4 = L.Load(t + L.Width); t += ldc;
            l5 = L.Load(t); r5 = L.Load(t + L.Width); t += ldc;
            l6 = L.Load(t); r6 = L.Load(t + L.Width); t += ldc;
            l7 = L.Load(t); r7 = L.Load(t + L.Width);
        }
        else
        {
            l0 = r0 = l1 = r1 = l2 = r2 = l3 = r3 = l4 = r4 = l5 = r5 = l6 = r6 = l7 = r7 = L.Broadcast(0f);
        }

        float* a3 = a + 3 * aRow;
        float* a6 = a + 6 * aRow;
        nint aRow2 = 2 * aRow;
        for (; k > 0; k--)
        {
            V left = L.Load(b);
            V right = L.Load(b + L.Width);
            b += bRow;
            V x = L.Broadcast(*a); l0 = L.Fma(x, left, l0); r0 = L.Fma(x, right, r0);
            x = L.Broadcast(a[aRow]); l1 = L.Fma(x, left, l1); r1 = L.Fma(x, right, r1);
            x = L.Broadcast(a[aRow2]); l2 = L.Fma(x, left, l2); r2 = L.Fma(x, right, r2);
            x = L.Broadcast(*a3); l3 = L.Fma(x, left, l3); r3 = L.Fma(x, right, r3);
            x = L.Broadcast(a3[aRow]); l4 = L.Fma(x, left, l4); r4 = L.Fma(x, right, r4);
            x = L.Broadcast(a3[aRow2]); l5 = L.Fma(x, left, l5); r5 = L.Fma(x, right, r5);
            x = L.Broadcast(*a6); l6 = L.Fma(x, left, l6); r6 = L.Fma(x, right, r6);
            x = L.Broadcast(a6[aRow]); l7 = L.Fma(x, left, l7); r7 = L.Fma(x, right, r7);
            a += aCol; a3 += aCol; a6 += aCol;
        }

        L.Store(c, l0); L.Store(c + L.Width, r0); c += ldc;
        L.Store(c, l1); L.Store(c + L.Width, r1); c += ldc;
        L.Store(c, l2); L.Store(c + L.Width, r2); c += ldc;
        L.Store(c, l3); L.Store(c + L.Width, r3); c += ldc;
        L.Store(c, l4); L.Store(c + L.Width, r4); c += ldc;
        L.Store(c, l5); L.Store(c + L.Width, r5); c += ldc;
        L.Store(c, l6); L.Store(c + L.Width, r6); c += ldc;
        L.Store(c, l7); L.Store(c + L.Width, r7);
    }

    /// <summary>12 rows by two registers of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows12<L, V>(nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        V l0, r0;
        V l1, r1;
        V l2, r2;
        V l3, r3;
        V l4, r4;
        V l5, r5;
        V l6, r6;
        V l7, r7;
        V l8, r8;
        V l9, r9;
        V l10, r10;
        V l11, r11;
        if (accumulate)
        {
            float* t = c;
            l0 = L.Load(t); r0 = L.Load(t + L.Width); t += ldc;
            l1 = L.Load(t); r1 = L.Load(t + L.Width); t += ldc;
            l2 = L.Load(t); r2 = L.Load(t + L.Width); t += ldc;
            l3 = L.Load(t); r3 = L.Load(t + L.Width); t += ldc;
            l4 = L.Load(t); r4 = L.Load(t + L.Width); t += ldc;
            l5 = L.Load(t); r5 = L.Load(t + L.Width); t += ldc;
            l6 = L.Load(t); r6 = L.Load(t + L.Width); t += ldc;
            l7 = L.Load(t); r7 = L.Load(t + L.Width); t += ldc;
            l8 = L.Load(t); r8 = L.Load(t + L.Width); t += ldc;
            l9 = L.Load(t); r9 = L.Load(t + L.Width); t += ldc;
            l10 = L.Load(t); r10 = L.Load(t + L.Width); t += ldc;
            l11 = L.Load(t); r11 = L.Load(t + L.Width);
        }
        else
        {
            l0 = r0 = l1 = r1 = l2 = r2 = l3 = r3 = l4 = r4 = l5 = r5 = l6 = r6 = l7 = r7 = l8 = r8 = l9 = r9 = l10 = r10 = l11 = r11 = L.Broadcast(0f);
        }

        float* a3 = a + 3 * aRow;
        float* a6 = a + 6 * aRow;
        float* a9 = a + 9 * aRow;
        nint aRow2 = 2 * aRow;
        for (; k > 0; k--)
        {
            V left = L.Load(b);
            V right = L.Load(b + L.Width);
            b += bRow;
            V x = L.Broadcast(*a); l0 = L.Fma(x, left, l0); r0 = L.Fma(x, right, r0);
            x = L.Broadcast(a[aRow]); l1 = L.Fma(x, left, l1); r1 = L.Fma(x, right, r1);
            x = L.Broadcast(a[aRow2]); l2 = L.Fma(x, left, l2); r2 = L.Fma(x, right, r2);
            x = L.Broadcast(*a3); l3 = L.Fma(x, left, l3); r3 = L.Fma(x, right, r3);
            x = L.Broadcast(a3[aRow]); l4 = L.Fma(x, left, l4); r4 = L.Fma(x, right, r4);
            x = L.Broadcast(a3[aRow2]); l5 = L.Fma(x, left, l5); r5 = L.Fma(x, right, r5);
            x = L.Broadcast(*a6); l6 = L.Fma(x, left, l6); r6 = L.Fma(x, right, r6);
            x = L.Broadcast(a6[aRow]); l7 = L.Fma(x, left, l7); r7 = L.Fma(x, right, r7);
            x = L.Broadcast(a6[aRow2]); l8 = L.Fma(x, left, l8); r8 = L.Fma(x, right, r8);
            x = L.Broadcast(*a9); l9 = L.Fma(x, left, l9); r9 = L.Fma(x, right, r9);
            x = L.Broadcast(a9[aRow]); l10 = L.Fma(x, left, l10); r10 = L.Fma(x, right, r10);
            x = L.Broadcast(a9[aRow2]); l11 = L.Fma(x, left, l11); r11 = L.Fma(x, right, r11);
            a += aCol; a3 += aCol; a6 += aCol; a9 += aCol;
        }

        L.Store(c, l0); L.Store(c + L.Width, r0); c += ldc;
        L.Store(c, l1); L.Store(c + L.Width, r1); c += ldc;
        L.Store(c, l2); L.Store(c + L.Width, r2); c += ldc;
        L.Store(c, l3); L.Store(c + L.Width, r3); c += ldc;
        L.Store(c, l4); L.Store(c + L.Width, r4); c += ldc;
        L.Store(c, l5); L.Store(c + L.Width, r5); c += ldc;
        L.Store(c, l6); L.Store(c + L.Width, r6); c += ldc;
        L.Store(c, l7); L.Store(c + L.Width, r7); c += ldc;
        L.Store(c, l8); L.Store(c + L.Width, r8); c += ldc;
        L.Store(c, l9); L.Store(c + L.Width, r9); c += ldc;
        L.Store(c, l10); L.Store(c + L.Width, r10); c += ldc;
        L.Store(c, l11); L.Store(c + L.Width, r11);
    }

    /// <summary>12 rows by one register of columns, for the thin products of low-rank adapters.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Narrow12<L, V>(nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        V s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
        if (accumulate)
        {
            float* t = c;
            s0 = L.Load(t); t += ldc;
            s1 = L.Load(t); t += ldc;
            s2 = L.Load(t); t += ldc;
            s3 = L.Load(t); t += ldc;
            s4 = L.Load(t); t += ldc;
            s5 = L.Load(t); t += ldc;
            s6 = L.Load(t); t += ldc;
            s7 = L.Load(t); t += ldc;
            s8 = L.Load(t); t += ldc;
            s9 = L.Load(t); t += ldc;
            s10 = L.Load(t); t += ldc;
            s11 = L.Load(t);
        }
        else
        {
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = L.Broadcast(0f);
        }

        float* a3 = a + 3 * aRow;
        float* a6 = a + 6 * aRow;
        float* a9 = a + 9 * aRow;
        nint aRow2 = 2 * aRow;
        for (; k > 0; k--)
        {
            V x = L.Load(b);
            b += bRow;
            s0 = L.Fma(L.Broadcast(*a), x, s0);
            s1 = L.Fma(L.Broadcast(a[aRow]), x, s1);
            s2 = L.Fma(L.Broadcast(a[aRow2]), x, s2);
            s3 = L.Fma(L.Broadcast(*a3), x, s3);
            s4 = L.Fma(L.Broadcast(a3[aRow]), x, s4);
            s5 = L.Fma(L.Broadcast(a3[aRow2]), x, s5);
            s6 = L.Fma(L.Broadcast(*a6), x, s6);
            s7 = L.Fma(L.Broadcast(a6[aRow]), x, s7);
            s8 = L.Fma(L.Broadcast(a6[aRow2]), x, s8);
            s9 = L.Fma(L.Broadcast(*a9), x, s9);
            s10 = L.Fma(L.Broadcast(a9[aRow]), x, s10);
            s11 = L.Fma(L.Broadcast(a9[aRow2]), x, s11);
            a += aCol; a3 += aCol; a6 += aCol; a9 += aCol;
        }

        L.Store(c, s0); c += ldc;
        L.Store(c, s1); c += ldc;
        L.Store(c, s2); c += ldc;
        L.Store(c, s3); c += ldc;
        L.Store(c, s4); c += ldc;
        L.Store(c, s5); c += ldc;
        L.Store(c, s6); c += ldc;
        L.Store(c, s7); c += ldc;
        L.Store(c, s8); c += ldc;
        L.Store(c, s9); c += ldc;
        L.Store(c, s10); c += ldc;
        L.Store(c, s11);
    }

    /// <summary>
    /// One row by <see cref="WideColumns"/> columns of a B that lies plain in memory: long pieces of each of its rows at once,
    /// since B is read only once and narrow columns of a plain matrix defeat the prefetcher.
    /// </summary>
    public static void WideRow(SimdLevel level, nint k, float* a, nint aCol, float* b, nint bRow, float* c, bool accumulate)
    {
        switch (level)
        {
            case SimdLevel.Vector512:
                Wide<Lanes512, Vector512<float>>(k, a, aCol, b, bRow, c, accumulate);
                break;
            case SimdLevel.Vector256:
                Wide<Lanes256, Vector256<float>>(k, a, aCol, b, bRow, c, accumulate);
                break;
            case SimdLevel.Vector128:
                Wide<Lanes128, Vector128<float>>(k, a, aCol, b, bRow, c, accumulate);
                break;
            default:
                Wide<Lanes1, float>(k, a, aCol, b, bRow, c, accumulate);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Wide<L, V>(nint k, float* a, nint aCol, float* b, nint bRow, float* c, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        for (int j = 0; j < WideColumns; j += 8 * L.Width)
        {
            V s0, s1, s2, s3, s4, s5, s6, s7;
            if (accumulate)
            {
                s0 = L.Load(c + j);
                s1 = L.Load(c + j + (1 * L.Width));
                s2 = L.Load(c + j + (2 * L.Width));
                s3 = L.Load(c + j + (3 * L.Width));
                s4 = L.Load(c + j + (4 * L.Width));
                s5 = L.Load(c + j + (5 * L.Width));
                s6 = L.Load(c + j + (6 * L.Width));
                s7 = L.Load(c + j + (7 * L.Width));
            }
            else
            {
                s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = L.Broadcast(0f);
            }

            float* left = a;
            float* right = b + j;
            for (nint p = 0; p < k; p++)
            {
                V x = L.Broadcast(*left);
                s0 = L.Fma(x, L.Load(right), s0);
                s1 = L.Fma(x, L.Load(right + (1 * L.Width)), s1);
                s2 = L.Fma(x, L.Load(right + (2 * L.Width)), s2);
                s3 = L.Fma(x, L.Load(right + (3 * L.Width)), s3);
                s4 = L.Fma(x, L.Load(right + (4 * L.Width)), s4);
                s5 = L.Fma(x, L.Load(right + (5 * L.Width)), s5);
                s6 = L.Fma(x, L.Load(right + (6 * L.Width)), s6);
                s7 = L.Fma(x, L.Load(right + (7 * L.Width)), s7);
                left += aCol;
                right += bRow;
            }

            L.Store(c + j, s0);
            L.Store(c + j + (1 * L.Width), s1);
            L.Store(c + j + (2 * L.Width), s2);
            L.Store(c + j + (3 * L.Width), s3);
            L.Store(c + j + (4 * L.Width), s4);
            L.Store(c + j + (5 * L.Width), s5);
            L.Store(c + j + (6 * L.Width), s6);
            L.Store(c + j + (7 * L.Width), s7);
        }
    }
}
