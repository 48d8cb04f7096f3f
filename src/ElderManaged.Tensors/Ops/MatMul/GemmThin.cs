namespace ElderManaged.Tensors;

/// <summary>
/// C (m, n) ← A·Bᵀ (+ C) for a B of at most sixteen rows: the way down to the rank of a LoRA. Both matrices are read along k, so nothing is turned.
/// </summary>
/// <remarks>
/// <code>
///   B (n, k)         a block of k: all of B's rows, in the       A: rows in strips of 6         sums, sixteen floats each
///   ┌──────┬──────┐  first-level cache beside a strip of A and   ┌──────┬──────┐   6 × 4     row 0 │ 0 │ 1 │ 2 │ 3 │ … n-1
///   │ 320  │ 320  │  the next one                                │ 320  │ 320  │ → a tile →  row 1 │   │   │   │   │      go on with
///   └──────┴──────┘  4 rows of it make a tile                    └──────┴──────┘             row 2 │   │   │   │   │      the next block
/// </code>
/// <para>
/// An element is sixteen chains of fma, chain l over the k of l, l + 16, l + 32 … in ascending order, with zeros for what is missing of the last
/// sixteen. They are added when k is through: l and l + 8, then l and l + 4, l + 2, l + 1; then C. That is the order at every SIMD level.
/// </para>
/// </remarks>
internal static unsafe class GemmThin
{
    /// <summary>The most rows of B.</summary>
    public const int MaxColumns = 16;

    /// <summary>Chains of an element.</summary>
    public const int Chains = 16;

    // Floats of a block of B, of a strip of A and of the next one: 39 KB.
    private const int BlockElements = 10_000;

    // The sums of so many rows, at most 66 KB, stay in the second-level cache.
    private const int MaxRowBlock = 66;

    // Multiply-adds in a microsecond of one thread, roughly; reading an element of A takes as long as four.
    private const int Rate = 90_000, WorkOfElement = 4;

    [ThreadStatic]
    private static AlignedBuffer? t_rest;

    [ThreadStatic]
    private static AlignedBuffer? t_sums;

    /// <summary>Whether a product with a transposed B of <paramref name="n"/> rows is one of these; the number of rows of A never decides.</summary>
    public static bool Serves(bool transA, bool transB, int n, float alpha) => !transA && transB && n <= MaxColumns && alpha == 1f;

    /// <summary>Multiplies, on as many threads as are worth it.</summary>
    public static void Multiply(float* a, nint aRow, float* b, nint bRow, float* c, nint ldc, int m, int n, int k, bool accumulate)
    {
        int threads = CpuThreads.AreWorth((double)m * k * (n + WorkOfElement) / Rate) ? Math.Min(CpuThreads.Count, (m + ThinTile.MaxRows - 1) / ThinTile.MaxRows) : 1;
        int parts = (((m + MaxRowBlock - 1) / MaxRowBlock) + threads - 1) / threads * threads;
        Work work = new() { A = a, ARow = aRow, B = b, BRow = bRow, C = c, Ldc = ldc, Rows = m, Columns = n, Depth = k, Parts = parts, Accumulate = accumulate };
        CpuThreads.Run(parts, work, static (w, part) => w.Compute((int)((long)w.Rows * part / w.Parts), (int)((long)w.Rows * (part + 1) / w.Parts)));
    }

    private struct Work
    {
        public float* A;
        public nint ARow;
        public float* B;
        public nint BRow;
        public float* C;
        public nint Ldc;
        public int Rows;
        public int Columns;
        public int Depth;
        public int Parts;
        public bool Accumulate;

        public readonly void Compute(int first, int end)
        {
            ThinTile tile = new()
            {
                Rows = end - first,
                Columns = Columns,
                Sums = AlignedBuffer.Rent(ref t_sums, (long)(end - first) * Columns * Chains),
                C = C + (first * Ldc),
                Ldc = Ldc,
                Accumulate = Accumulate,
            };
            float* a = A + (first * ARow);
            int whole = Depth / Chains, most = BlockElements / (Columns + (2 * ThinTile.MaxRows)) / Chains, blocks = (whole + most - 1) / most;
            for (int i = 0; i < blocks; i++)
            {
                int from = (int)((long)i * whole / blocks), to = (int)((i + 1L) * whole / blocks);
                tile.Add(a + (from * Chains), ARow, B + (from * Chains), BRow, to - from, begun: i > 0, ends: to * Chains == Depth);
            }

            int rest = Depth - (whole * Chains);
            if (rest > 0)
            {
                float* restOfA = AlignedBuffer.Rent(ref t_rest, (long)(tile.Rows + Columns) * Chains), restOfB = restOfA + (tile.Rows * Chains);
                CopyRest(a + Depth - rest, ARow, tile.Rows, rest, restOfA);
                CopyRest(B + Depth - rest, BRow, Columns, rest, restOfB);
                tile.Add(restOfA, Chains, restOfB, Chains, 1, begun: whole > 0, ends: true);
            }
        }

        private static void CopyRest(float* from, nint row, int rows, int length, float* to)
        {
            for (int i = 0; i < rows; i++)
            {
                Span<float> target = new(to + (i * Chains), Chains);
                new Span<float>(from + (i * row), length).CopyTo(target);
                target[length..].Clear();
            }
        }
    }
}
