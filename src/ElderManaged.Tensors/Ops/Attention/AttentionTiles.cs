using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>The products of attention, divided into tiles for the micro-kernels of <see cref="GemmKernels"/>.</summary>
internal static unsafe class AttentionTiles
{
    private const int Panel = AttentionPacking.Panel;
    private const int MixDepth = 128;

    /// <summary>
    /// Scores of rows with the up to 32 positions of one panel from <paramref name="first"/> to before <paramref name="end"/>; tiles above
    /// the diagonal are left out, and columns beyond what a row sees are undefined, as are up to 32 behind <paramref name="end"/>.
    /// What is wanted <paramref name="ahead"/> is fetched meanwhile.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Scores(SimdLevel level, in AttentionRows rows, float* x, nint rowStep, int depth, float* panel, int first, int end, float* scores, nint stride, ref AttentionAhead ahead)
    {
        TileWork work = Tile(rowStep, 1, panel, depth, stride, accumulate: false);
        for (int i = 0; i < rows.Count;)
        {
            int height = GemmKernels.KernelRows(level, rows.Count - i);
            int columns = Math.Min(Panel, Math.Min(end, rows.Seen(i + height - 1)) - first);
            if (columns > 0)
            {
                work.Depth = depth;
                ahead.Fetch(&work);
                work.A = x + (i * rowStep);
                work.C = scores + (i * stride) + first;
                GemmKernels.Tile(level, height, columns, &work);
            }

            i += height;
        }
    }

    /// <summary>
    /// result = weights · vectors, for each row as deep as it sees: first those of the past, then those after it. Results are rows of
    /// whole panels.
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
    public static void Mix(
        SimdLevel level, float* weights, nint stride, in AttentionRows rows, in AttentionVectorRows past, in AttentionVectorRows own, int width, float* result, ref AttentionAhead ahead)
    {
        AddMix(level, weights, stride, rows, 0, past, width, result, ref ahead);
        AddMix(level, weights, stride, rows, past.Count, own, width, result, ref ahead);
        nint resultStride = PanelsWidth(width);
        if (rows.Count > 1 && AttentionVectors.NotFinite(result, width, resultStride, rows.Count))
        {
            for (int i = 0; i < rows.Count; i++)
            {
                Mix(level, weights + (i * stride), stride, new(1, rows.Seen(i), 1), past, own, width, result + (i * resultStride), ref ahead);
            }
        }
    }

    // The vectors of positions from start on; adds where they are not the first.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddMix(
        SimdLevel level, float* weights, nint stride, in AttentionRows rows, int start, in AttentionVectorRows vectors, int width, float* result, ref AttentionAhead ahead)
    {
        nint resultStride = PanelsWidth(width);
        int end = start + vectors.Count;
        TileWork work = Tile(stride, 1, vectors.First, 0, resultStride, accumulate: false);
        work.BRow = vectors.Stride;
        for (int first = start; first < end; first += MixDepth)
        {
            work.Accumulate = first > 0;
            int last = Math.Min(end, first + MixDepth);
            for (int c = 0; c < width; c += Panel)
            {
                work.B = vectors.First + (c / Panel * vectors.Plane) + ((first - start) * vectors.Stride);
                for (int i = 0; i < rows.Count;)
                {
                    int height = GemmKernels.KernelRows(level, rows.Count - i);
                    work.Depth = Math.Min(last, rows.Seen(i + height - 1)) - first;
                    if (work.Depth > 0)
                    {
                        ahead.Fetch(&work);
                        work.A = weights + (i * stride) + first;
                        work.C = result + (i * resultStride) + c;
                        GemmKernels.Tile(level, height, Columns(width - c), &work);
                    }

                    i += height;
                }
            }
        }
    }

    /// <summary>sums[p] (+)= Σ_r weights[r, p] · vectors[r] for <paramref name="count"/> positions p and rows r from <paramref name="rowOf"/>(p) on.</summary>
    /// <param name="level">The vector width.</param>
    /// <param name="weights">The first row, at the first position.</param>
    /// <param name="stride">From row to row.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="rowOf">The row that sees the first position first; row + 1 sees the next one. May be negative.</param>
    /// <param name="count">The number of positions; none that the last row does not see.</param>
    /// <param name="heights">The tallest tile: 12, or 1 where a row must not even be multiplied by zero.</param>
    /// <param name="vectors">One for each row; of a width that is not whole registers, up to 15 floats behind the last one are read.</param>
    /// <param name="vectorStride">From vector to vector.</param>
    /// <param name="width">The width of a vector.</param>
    /// <param name="sums">Rows of whole panels.</param>
    /// <param name="accumulate">Adds to the sums instead of setting them.</param>
    /// <param name="ahead">What is fetched meanwhile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void AddTransposed(
        SimdLevel level, float* weights, nint stride, int rows, int rowOf, int count, int heights, float* vectors, nint vectorStride, int width, float* sums, bool accumulate, ref AttentionAhead ahead)
    {
        nint sumStride = PanelsWidth(width);
        TileWork work = Tile(1, stride, null, 0, sumStride, accumulate);
        work.BRow = vectorStride;
        for (int p = 0; p < count;)
        {
            int height = heights == 1 ? 1 : GemmKernels.KernelRows(level, count - p);
            int first = Math.Max(0, rowOf + p);
            for (int c = 0; c < width; c += Panel)
            {
                work.A = weights + (first * stride) + p;
                work.B = vectors + (first * vectorStride) + c;
                work.C = sums + (p * sumStride) + c;
                work.Depth = rows - first;
                ahead.Fetch(&work);
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

/// <summary>Vectors of positions: element c of number p lies at First + (c / 32)·Plane + p·Stride + c % 32.</summary>
internal readonly unsafe struct AttentionVectorRows(float* first, nint stride, nint plane, int count)
{
    public float* First { get; } = first;

    public nint Stride { get; } = stride;

    public nint Plane { get; } = plane;

    public int Count { get; } = count;

    /// <summary>Those of the first positions.</summary>
    public AttentionVectorRows Of(int positions) => new(First, Stride, Plane, positions);
}
