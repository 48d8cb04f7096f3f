using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>The products of attention, divided into tiles for the micro-kernels of <see cref="GemmKernels"/>.</summary>
internal static unsafe class AttentionTiles
{
    private const int Panel = AttentionPacking.Panel;
    private const int MixDepth = 128;

    // Strips that are given what they fetch at a time.
    private const int MostStrips = 64;

    // Groups of a triangle: blocks have at most 64 rows.
    private const int MostGroups = 16;

    /// <summary>
    /// Scores of up to 32 rows with some positions, from <paramref name="first"/> on: position by position, a row in each lane. Tiles that no row
    /// sees are left out, and what a row does not see is undefined.
    /// What is wanted <paramref name="ahead"/> is fetched meanwhile.
    /// </summary>
    /// <param name="level">The vector width.</param>
    /// <param name="rows">The rows, and which positions they see.</param>
    /// <param name="panel">The rows turned: [depth, 32].</param>
    /// <param name="depth">The width of a row and of a key.</param>
    /// <param name="keys">The key of the first position, or its value for the gradients of weights.</param>
    /// <param name="keyStride">From position to position.</param>
    /// <param name="keyStep">From number to number of a key.</param>
    /// <param name="first">The first position.</param>
    /// <param name="count">The number of positions.</param>
    /// <param name="scores">Where those of the first position go.</param>
    /// <param name="stride">From position to position there.</param>
    /// <param name="largest">Each row's largest score so far; null if it is not wanted.</param>
    /// <param name="ahead">What is fetched meanwhile.</param>
    /// <returns>Of how many positions, from the first on, the largest scores were found. All rows see those.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static int Scores(
        SimdLevel level, in AttentionRows rows, float* panel, int depth, float* keys, nint keyStride, nint keyStep, int first, int count, float* scores, nint stride, float* largest, ref AttentionAhead ahead)
    {
        // The last positions are seen by rows of the second half only.
        const int half = Panel / 2;
        int seen = Math.Clamp(rows.Seen(half - 1) - first, 0, count);
        TileWork work = Tile(keyStride, keyStep, panel, depth, stride, accumulate: false);
        int columns = Math.Min(Panel, rows.Count);
        int done = 0;
        int all = Math.Min(rows.First - first, count); // see them
        if (TakesStrips(level, columns, depth, all) && keyStep == 1)
        {
            work.A = keys;
            work.C = scores;
            done = Strips(work, all, largest, ref ahead);
        }

        for (int p = done; p < count;)
        {
            int end = p < seen ? seen : count;
            int from = p < seen ? 0 : half;
            int height = GemmKernels.KernelRows(level, end - p);
            work.Depth = depth;
            ahead.Fetch(&work, columns - from);
            work.A = keys + (p * keyStride);
            work.B = panel + from;
            work.C = scores + (p * stride) + from;
            Run(level, height, columns - from, &work);
            p += height;
        }

        return done;
    }

    /// <summary>Scores of a few rows, or of heads, <paramref name="step"/> apart in <paramref name="x"/>, with the positions of a panel [depth, 32]: row by row, positions in lanes.</summary>
    public static void RowScores(SimdLevel level, float* x, int rows, nint step, int depth, float* panel, int positions, float* scores, nint stride, ref AttentionAhead ahead)
    {
        TileWork work = Tile(step, 1, panel, depth, stride, accumulate: false);
        for (int i = 0; i < rows;)
        {
            int height = GemmKernels.KernelRows(level, rows - i);
            work.Depth = depth;
            ahead.Fetch(&work, positions);
            work.A = x + (i * step);
            work.C = scores + (i * stride);
            Run(level, height, positions, &work);
            i += height;
        }
    }

    /// <summary>
    /// result (+)= weights · vectors, for each row as deep as it sees: first those of the past, then those after it. Weights lie
    /// <paramref name="row"/> from row to row and <paramref name="step"/> from position to position. Results are rows of whole panels, <paramref name="resultStride"/> apart.
    /// </summary>
    /// <remarks>
    /// <para>
    /// 128 positions at a time: 16 KB of a panel and the weights of 32 rows, 16 KB, stay in the first-level cache for one another.
    /// </para>
    /// <para>
    /// The rows of a tile go as deep as its last one, which multiplies what the others must not see by zero. If that was not a finite
    /// number, they become not a number: then they shall be done again one by one, with <paramref name="heights"/> 1.
    /// </para>
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Mix(
        SimdLevel level, float* weights, nint row, nint step, in AttentionRows rows, int heights, in AttentionVectorRows past, in AttentionVectorRows own, int width, float* result, nint resultStride, bool accumulate, ref AttentionAhead ahead)
    {
        AddMix(level, weights, row, step, rows, heights, 0, past, width, result, resultStride, accumulate, ref ahead);
        AddMix(level, weights, row, step, rows, heights, past.Count, own, width, result, resultStride, accumulate || past.Count > 0, ref ahead);
    }

    // The vectors of positions from start on.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddMix(
        SimdLevel level, float* weights, nint row, nint step, in AttentionRows rows, int heights, int start, in AttentionVectorRows vectors, int width, float* result, nint resultStride, bool accumulate, ref AttentionAhead ahead)
    {
        int end = start + vectors.Count;
        TileWork work = Tile(row, step, vectors.First, 0, resultStride, accumulate: false);
        work.BRow = vectors.Stride;
        for (int first = start; first < end; first += MixDepth)
        {
            work.Accumulate = accumulate || first > start;
            int last = Math.Min(end, first + MixDepth);
            int done = 0;
            if (last == rows.Seen(rows.Count - 1) && rows.First > first && TakesTriangle(level, heights, width))
            {
                done = rows.Count & -AttentionTriangle.Rows;
                TriangleWork triangle = new()
                {
                    A = weights + (first * step),
                    ARow = row,
                    ACol = step,
                    AGroup = AttentionTriangle.Rows * row,
                    B = vectors.First + ((first - start) * vectors.Stride),
                    BRow = vectors.Stride,
                    BPlane = vectors.Plane,
                    C = result,
                    CRow = resultStride,
                    Depth = rows.Seen(AttentionTriangle.Rows - 1) - first,
                    DepthGroup = AttentionTriangle.Rows,
                    Groups = done / AttentionTriangle.Rows,
                    Accumulate = work.Accumulate,
                };
                Triangle(&triangle, width, ref ahead);
            }

            for (int c = 0; c < width; c += Panel)
            {
                work.B = vectors.First + (c / Panel * vectors.Plane) + ((first - start) * vectors.Stride);
                for (int i = done; i < rows.Count;)
                {
                    int height = Height(level, heights, rows.Count - i);
                    work.Depth = Math.Min(last, rows.Seen(i + height - 1)) - first;
                    if (work.Depth > 0)
                    {
                        ahead.Fetch(&work, width - c);
                        work.A = weights + (i * row) + (first * step);
                        work.C = result + (i * resultStride) + c;
                        Run(level, height, Columns(width - c), &work);
                    }

                    i += height;
                }
            }
        }
    }

    /// <summary>sums[p] (+)= Σ_r weights[p, r] · vectors[r] for <paramref name="count"/> positions p and rows r from <paramref name="rowOf"/>(p) on.</summary>
    /// <param name="level">The vector width.</param>
    /// <param name="weights">The first position, at the first row; a row's neighbour is the next one.</param>
    /// <param name="stride">From position to position.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="rowOf">The row that sees the first position first; row + 1 sees the next one. May be negative.</param>
    /// <param name="count">The number of positions; none that the last row does not see.</param>
    /// <param name="heights">The tallest tile: 12, or 1 where a row must not even be multiplied by zero.</param>
    /// <param name="vectors">One for each row; of a width that is not whole registers, up to 15 floats behind the last one are read.</param>
    /// <param name="vectorStride">From vector to vector.</param>
    /// <param name="width">The width of a vector.</param>
    /// <param name="sums">Rows of whole panels.</param>
    /// <param name="sumStride">From row to row of these.</param>
    /// <param name="accumulate">Adds to the sums instead of setting them.</param>
    /// <param name="ahead">What is fetched meanwhile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void AddTransposed(
        SimdLevel level, float* weights, nint stride, int rows, int rowOf, int count, int heights, float* vectors, nint vectorStride, int width, float* sums, nint sumStride, bool accumulate, ref AttentionAhead ahead)
    {
        TileWork work = Tile(stride, 1, null, 0, sumStride, accumulate);
        work.BRow = vectorStride;
        int done = 0;
        int all = Math.Min(1 - rowOf, count); // see them
        if (TakesStrips(level, width, rows, all))
        {
            work.Depth = rows;
            for (int c = 0; c < width; c += Panel)
            {
                work.A = weights;
                work.B = vectors + c;
                work.C = sums + c;
                done = Strips(work, all, null, ref ahead);
            }
        }

        if (rowOf == 0 && TakesTriangle(level, heights, width))
        {
            done = count & -AttentionTriangle.Rows;
            TriangleWork triangle = new()
            {
                A = weights,
                ARow = stride,
                ACol = 1,
                AGroup = AttentionTriangle.Rows * (stride + 1),
                B = vectors,
                BRow = vectorStride,
                BPlane = Panel,
                BGroup = AttentionTriangle.Rows * vectorStride,
                C = sums,
                CRow = sumStride,
                Depth = rows,
                DepthGroup = -AttentionTriangle.Rows,
                Groups = done / AttentionTriangle.Rows,
                Accumulate = accumulate,
            };
            Triangle(&triangle, width, ref ahead);
        }

        for (int p = done; p < count;)
        {
            int height = Height(level, heights, count - p);
            int first = Math.Max(0, rowOf + p);
            for (int c = 0; c < width; c += Panel)
            {
                work.A = weights + (p * stride) + first;
                work.B = vectors + (first * vectorStride) + c;
                work.C = sums + (p * sumStride) + c;
                work.Depth = rows - first;
                ahead.Fetch(&work, width - c);
                Run(level, height, Columns(width - c), &work);
            }

            p += height;
        }
    }

    /// <summary>The width of whole panels.</summary>
    public static int PanelsWidth(int width) => (width + Panel - 1) & -Panel;

    // Nearly all tiles are whole ones of the widest registers: those do without the search for a kernel that fits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Run(SimdLevel level, int height, int columns, TileWork* work)
    {
        if (level == SimdLevel.Vector512 && columns == Panel)
        {
            GemmTile.Double<Lanes512, Vector512<float>>(height, work);
        }
        else
        {
            GemmKernels.Tile(level, height, columns, work);
        }
    }

    // Triangles have whole registers of the widest kind, and multiply by zero what up to three of four rows do not see.
    private static bool TakesTriangle(SimdLevel level, int heights, int width) =>
        level == SimdLevel.Vector512 && heights > 1 && width % AttentionTriangle.Columns == 0;

    // All columns of the product of a triangle, whose first ones are given.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Triangle(TriangleWork* work, int width, ref AttentionAhead ahead)
    {
        AheadRun* runs = stackalloc AheadRun[MostGroups];
        work->Ahead = runs;
        for (int c = 0; c < width; c += AttentionTriangle.Columns)
        {
            ahead.Fetch(runs, work->Groups, work->Depth, work->DepthGroup, AttentionTriangle.Columns, work->B);
            AttentionTriangle.Run(work);
            work->B += AttentionTriangle.Columns / Panel * work->BPlane;
            work->C += AttentionTriangle.Columns;
        }
    }

    // Strips have whole registers of the widest kind and an even depth. A single one gains nothing.
    private static bool TakesStrips(SimdLevel level, int columns, int depth, int rows) =>
        level == SimdLevel.Vector512 && rows >= 2 * AttentionStrips.Rows && columns % Panel == 0 && depth % AttentionStrips.Steps == 0;

    // As many strips of a product of so many rows as leave a tile to the end that keeps the multipliers busy, see GemmKernels.KernelRows. How many rows were done.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static int Strips(in TileWork tile, int rows, float* largest, ref AttentionAhead ahead)
    {
        AheadRun* runs = stackalloc AheadRun[MostStrips];
        StripWork work = new()
        {
            A = tile.A,
            ARow = tile.ARow,
            B = tile.B,
            BRow = tile.BRow,
            C = tile.C,
            CRow = tile.Ldc,
            Depth = tile.Depth,
            Accumulate = tile.Accumulate,
            Largest = largest,
            Ahead = runs,
        };
        int strips = (rows / AttentionStrips.Rows) - (rows % AttentionStrips.Rows == 0 ? 0 : 1);
        for (int done = 0; done < strips; done += work.Strips)
        {
            work.Strips = Math.Min(strips - done, MostStrips);
            ahead.Fetch(runs, work.Strips, work.Depth / AttentionStrips.Steps, 0, Panel, work.B);
            AttentionStrips.Run(&work);
            nint more = work.Strips * AttentionStrips.Rows;
            work.A += more * work.ARow;
            work.C += more * work.CRow;
        }

        return strips * AttentionStrips.Rows;
    }

    // The next tile's rows; 1 where a row must not even be multiplied by zero.
    private static int Height(SimdLevel level, int heights, int left) => heights == 1 ? 1 : GemmKernels.KernelRows(level, left);

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
