using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>Which micro-kernel of <see cref="GemmTile"/> serves which tile, on which SIMD level. The bits are the same for all.</summary>
internal static unsafe class GemmKernels
{
    /// <summary>The columns of one packed panel. One width for all SIMD levels, so that a packed matrix serves them all.</summary>
    public const int PanelWidth = 32;

    /// <summary>Rows of the tallest kernel; blocks of rows are multiples of it.</summary>
    public const int MaxRows = 12;

    /// <summary>
    /// The height of the next strip when <paramref name="rows"/> are still to do: the tallest kernel, but the last two strips
    /// share what is left evenly, since a kernel of one or two rows waits for the multipliers instead of keeping them busy.
    /// </summary>
    public static int KernelRows(SimdLevel level, int rows)
    {
        int tallest = level == SimdLevel.Vector512 ? MaxRows : MaxRows / 2;
        return rows >= 2 * tallest ? tallest
            : rows > tallest ? (rows + 1) / 2
            : rows;
    }

    /// <summary>A tile of <paramref name="rows"/> ≤ 12 by <paramref name="columns"/> ≤ 32. May write up to 32 columns.</summary>
    public static void Tile(SimdLevel level, int rows, int columns, nint k, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c, nint ldc, bool accumulate)
    {
        TileWork work = new()
        {
            A = a,
            ARow = aRow,
            ACol = aCol,
            B = b,
            BRow = bRow,
            C = c,
            Ldc = ldc,
            Depth = k,
            Pieces = 1,
            Accumulate = accumulate,
            Ahead = b,
        };
        Tile(level, rows, columns, &work);
    }

    /// <summary>A tile of <paramref name="rows"/> ≤ 12 by <paramref name="columns"/> ≤ 32. May write up to 32 columns.</summary>
    public static void Tile(SimdLevel level, int rows, int columns, TileWork* work)
    {
        switch (level)
        {
            case SimdLevel.Vector512:
                Columns<Lanes512, Vector512<float>>(MaxRows, rows, columns, work);
                break;
            case SimdLevel.Vector256:
                Columns<Lanes256, Vector256<float>>(MaxRows / 2, rows, columns, work);
                break;
            case SimdLevel.Vector128:
                Columns<Lanes128, Vector128<float>>(MaxRows / 2, rows, columns, work);
                break;
            default:
                Columns<Lanes1, float>(MaxRows / 2, rows, columns, work);
                break;
        }
    }

    // AVX-512 covers the 32 columns with one double register; the others go over them in steps.
    private static void Columns<L, V>(int tallest, int rows, int columns, TileWork* work)
        where L : struct, ILanes<V>
        where V : struct
    {
        if (columns > L.Width && columns <= 2 * L.Width && rows <= tallest)
        {
            GemmTile.Double<L, V>(rows, work);
            return;
        }

        // The addresses move within the caller's work, and back: the processor stalls when what was just written in pieces is copied as a whole.
        float* a = work->A;
        float* b = work->B;
        float* c = work->C;
        float* bias = work->Bias;
        float* ahead = work->Ahead;
        nint aheadStep = work->AheadStep;
        for (int i = 0; i < rows; i += tallest)
        {
            int height = Math.Min(tallest, rows - i);
            work->A = a + (i * work->ARow);
            for (int j = 0; j < columns; j += 2 * L.Width)
            {
                work->B = b + j;
                work->C = c + (i * work->Ldc) + j;
                work->Bias = bias == null ? null : bias + j;
                if (columns - j > L.Width)
                {
                    GemmTile.Double<L, V>(height, work);
                }
                else
                {
                    GemmTile.Single<L, V>(height, work);
                }

                work->Ahead = b; // once is enough
                work->AheadStep = 0;
            }
        }

        work->A = a;
        work->B = b;
        work->C = c;
        work->Bias = bias;
        work->Ahead = ahead;
        work->AheadStep = aheadStep;
    }
}
