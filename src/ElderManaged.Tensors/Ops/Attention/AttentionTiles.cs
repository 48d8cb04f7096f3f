namespace ElderManaged.Tensors;

/// <summary>The products of attention, divided into tiles for the micro-kernels of <see cref="GemmKernels"/>.</summary>
internal static unsafe class AttentionTiles
{
    private const int Panel = AttentionPacking.Panel;
    private const int MixDepth = 128;

    /// <summary>
    /// Scores of rows with the up to 32 positions of one panel from <paramref name="first"/> on; tiles above the diagonal are
    /// left out, and columns beyond what a row sees are undefined.
    /// </summary>
    public static void Scores(SimdLevel level, in AttentionRows rows, float* x, nint rowStep, int depth, float* panel, int first, float* scores, nint stride)
    {
        TileWork work = Tile(rowStep, 1, panel, depth, stride, accumulate: false);
        for (int i = 0; i < rows.Count;)
        {
            int height = GemmKernels.KernelRows(level, rows.Count - i);
            int columns = Math.Min(Panel, rows.Seen(i + height - 1) - first);
            if (columns > 0)
            {
                work.A = x + (i * rowStep);
                work.C = scores + (i * stride) + first;
                GemmKernels.Tile(level, height, columns, &work);
            }

            i += height;
        }
    }

    /// <summary>
    /// result = weights · vectors, for each row as deep as it sees; vectors lie in panels, results are rows of whole panels.
    /// </summary>
    /// <remarks>
    /// <para>
    /// 128 positions at a time: 16 KB of a panel and the weights of 48 rows, 24 KB, stay in the first-level cache for one another.
    /// </para>
    /// <para>
    /// The rows of a tile go as deep as its last one, which multiplies what the others must not see by zero. If that was not a finite
    /// number, they become not a number: then they are done again one by one.
    /// </para>
    /// </remarks>
    public static void Mix(SimdLevel level, float* weights, nint stride, in AttentionRows rows, float* vectors, nint plane, int width, float* result)
    {
        nint resultStride = PanelsWidth(width);
        int end = rows.Seen(rows.Count - 1);
        TileWork work = Tile(stride, 1, vectors, 0, resultStride, accumulate: false);
        for (int first = 0; first < end; first += MixDepth)
        {
            work.Accumulate = first > 0;
            for (int c = 0; c < width; c += Panel)
            {
                work.B = work.Ahead = vectors + (c / Panel * plane) + ((nint)first * Panel);
                for (int i = 0; i < rows.Count;)
                {
                    int height = GemmKernels.KernelRows(level, rows.Count - i);
                    work.Depth = Math.Min(MixDepth, rows.Seen(i + height - 1) - first);
                    if (work.Depth > 0)
                    {
                        work.A = weights + (i * stride) + first;
                        work.C = result + (i * resultStride) + c;
                        GemmKernels.Tile(level, height, Columns(width - c), &work);
                    }

                    i += height;
                }
            }
        }

        if (rows.Count > 1 && AttentionVectors.NotFinite(result, width, resultStride, rows.Count))
        {
            for (int i = 0; i < rows.Count; i++)
            {
                Mix(level, weights + (i * stride), stride, new(1, rows.Seen(i), 1), vectors, plane, width, result + (i * resultStride));
            }
        }
    }

    /// <summary>sums[p] += Σ_r weights[r, p] · vectors[r] for <paramref name="count"/> positions p and rows r from <paramref name="rowOf"/>(p) on.</summary>
    /// <param name="level">The vector width.</param>
    /// <param name="weights">The first row, at the first position.</param>
    /// <param name="stride">From row to row.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="rowOf">The row that sees the first position first; row + 1 sees the next one. May be negative.</param>
    /// <param name="count">The number of positions; none that the last row does not see.</param>
    /// <param name="heights">The tallest tile: 12, or 1 where a row must not even be multiplied by zero.</param>
    /// <param name="vectors">One for each row, in panels.</param>
    /// <param name="plane">From panel to panel.</param>
    /// <param name="width">The width of a vector.</param>
    /// <param name="sums">Rows of whole panels.</param>
    public static void AddTransposed(
        SimdLevel level, float* weights, nint stride, int rows, int rowOf, int count, int heights, float* vectors, nint plane, int width, float* sums)
    {
        nint sumStride = PanelsWidth(width);
        TileWork work = Tile(1, stride, null, 0, sumStride, accumulate: true);
        for (int p = 0; p < count;)
        {
            int height = heights == 1 ? 1 : GemmKernels.KernelRows(level, count - p);
            int first = Math.Max(0, rowOf + p);
            for (int c = 0; c < width; c += Panel)
            {
                work.A = weights + (first * stride) + p;
                work.B = work.Ahead = vectors + (c / Panel * plane) + (first * Panel);
                work.C = sums + (p * sumStride) + c;
                work.Depth = rows - first;
                GemmKernels.Tile(level, height, Columns(width - c), &work);
            }

            p += height;
        }
    }

    /// <summary>The width of whole panels.</summary>
    public static int PanelsWidth(int width) => (width + Panel - 1) & -Panel;

    // What all tiles of a product share.
    private static TileWork Tile(nint aRow, nint aCol, float* panel, int depth, nint resultStride, bool accumulate) => new()
    {
        ARow = aRow,
        ACol = aCol,
        B = panel,
        BRow = Panel,
        Ldc = resultStride,
        Depth = depth,
        Pieces = 1,
        Accumulate = accumulate,
        Ahead = panel,
    };

    // Panels are padded, so that the kernels may always work on whole registers.
    private static int Columns(int left) => Math.Min(Panel, left);
}
