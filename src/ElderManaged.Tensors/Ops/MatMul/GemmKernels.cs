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
}
