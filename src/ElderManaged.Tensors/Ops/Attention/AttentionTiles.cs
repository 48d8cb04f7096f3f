namespace ElderManaged.Tensors;

/// <summary>The products of attention, divided into tiles for the micro-kernels of <see cref="GemmKernels"/>.</summary>
internal static unsafe class AttentionTiles
{
    private const int Panel = AttentionPacking.Panel;

    /// <summary>
    /// Scores of rows with the up to 32 positions of one panel from <paramref name="first"/> on; tiles above the diagonal are
    /// left out, and columns beyond what a row sees are undefined.
    /// </summary>
    public static void Scores(SimdLevel level, in AttentionRows rows, float* x, nint rowStep, int depth, float* panel, int first, float* scores, nint stride)
    {
        for (int i = 0; i < rows.Count;)
        {
            int height = GemmKernels.KernelRows(level, rows.Count - i);
            int columns = Math.Min(Panel, rows.Seen(i + height - 1) - first);
            if (columns > 0)
            {
                GemmKernels.Tile(level, height, columns, depth, x + (i * rowStep), rowStep, 1, panel, Panel, scores + (i * stride) + first, stride, accumulate: false);
            }

            i += height;
        }
    }

    /// <summary>
    /// The rows of one tile: result = weights · vectors, each as deep as it sees; vectors lie in panels, results are rows of whole panels.
    /// </summary>
    /// <remarks>
    /// All rows go as deep as the last one, which multiplies what the others must not see by zero. If that was not a finite
    /// number, they become not a number: then they are done again one by one.
    /// </remarks>
    public static void Mix(SimdLevel level, float* weights, nint stride, in AttentionRows rows, float* vectors, nint plane, int width, float* result)
    {
        nint resultStride = PanelsWidth(width);
        MixTo(level, rows.Count, weights, stride, rows.Seen(rows.Count - 1), vectors, plane, width, result);
        for (int i = 0; rows.Step > 0 && i < rows.Count - 1; i++)
        {
            if (AttentionVectors.NotFinite(result + (i * resultStride), width))
            {
                MixTo(level, 1, weights + (i * stride), stride, rows.Seen(i), vectors, plane, width, result + (i * resultStride));
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
        for (int p = 0; p < count;)
        {
            int height = GemmKernels.KernelRows(level, Math.Min(heights, count - p));
            int first = Math.Max(0, rowOf + p);
            for (int c = 0; c < width; c += Panel)
            {
                GemmKernels.Tile(
                    level, height, Columns(width - c), rows - first, weights + (first * stride) + p, 1, stride,
                    vectors + (c / Panel * plane) + (first * Panel), Panel, sums + (p * sumStride) + c, sumStride, accumulate: true);
            }

            p += height;
        }
    }

    /// <summary>The width of whole panels.</summary>
    public static int PanelsWidth(int width) => (width + Panel - 1) & -Panel;

    private static void MixTo(SimdLevel level, int height, float* weights, nint stride, int depth, float* vectors, nint plane, int width, float* result)
    {
        nint resultStride = PanelsWidth(width);
        for (int c = 0; c < width; c += Panel)
        {
            GemmKernels.Tile(level, height, Columns(width - c), depth, weights, stride, 1, vectors + (c / Panel * plane), Panel, result + c, resultStride, accumulate: false);
        }
    }

    // Panels are padded, so that the kernels may always work on whole registers.
    private static int Columns(int left) => Math.Min(Panel, left);
}
