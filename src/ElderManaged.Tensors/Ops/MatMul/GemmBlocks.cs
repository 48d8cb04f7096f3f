namespace ElderManaged.Tensors;

/// <summary>
/// The loops around the micro-kernels: blocks of k that fit the cache, parts of C for the threads, packing where it pays.
/// After K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
/// </summary>
internal static unsafe class GemmBlocks
{
    private const int PanelWidth = GemmKernels.PanelWidth;

    // A block of k: a panel of B is then 48 KB, and streams from the second-level cache while a strip of A stays in the first.
    private const int MaxKBlock = 384;

    // Rows of one part: 252·384 floats of A are 378 KB of the second-level cache.
    private const int MaxRowBlock = 252;

    // Columns of B packed at a time: 384·4096 floats are 6 MB.
    private const int MaxColumnBlock = 4096;

    // Below this many multiply-adds a part is not worth waking a thread.
    private const long MinPartWork = 256 * 1024;

    [ThreadStatic]
    private static AlignedBuffer? t_packedA;

    [ThreadStatic]
    private static AlignedBuffer? t_packedB;

    [ThreadStatic]
    private static AlignedBuffer? t_onePanel;

    /// <summary>C (m, n) ← alpha·A·B (+ C) with B plain in memory: B[p, j] at b + p·ldb + j, or at b + j·ldb + p when <paramref name="transB"/>.</summary>
    public static void Multiply(float* a, nint aRow, nint aCol, bool transB, float* b, nint ldb, float* c, nint ldc, int m, int n, int k, bool accumulate, float alpha)
    {
        SimdLevel level = Simd.Level;

        // With few rows, packing B costs more than it saves; a plain B is then read in place (a transposed one cannot be).
        bool inPlace = !transB && (m < 24 || k < 16);
        int kBlocks = (k + MaxKBlock - 1) / MaxKBlock;
        int kBlock = (k + kBlocks - 1) / kBlocks;
        for (int j0 = 0; j0 < n; j0 += MaxColumnBlock)
        {
            int columns = Math.Min(MaxColumnBlock, n - j0);
            for (int p0 = 0; p0 < k; p0 += kBlock)
            {
                int depth = Math.Min(kBlock, k - p0);
                float* block = transB ? b + (j0 * ldb) + p0 : b + (p0 * ldb) + j0;
                Block work = new()
                {
                    Level = level,
                    A = a + (p0 * aCol),
                    ARow = aRow,
                    ACol = aCol,
                    Source = block,
                    SourceStride = ldb,
                    SourceTransposed = transB,
                    C = c + j0,
                    Ldc = ldc,
                    Rows = m,
                    Columns = columns,
                    Depth = depth,
                    Accumulate = accumulate || p0 > 0,
                    Alpha = alpha,
                };
                work.Divide();
                if (inPlace)
                {
                    work.B = block;
                    work.BPanel = PanelWidth;
                    work.BRow = ldb;
                }
                else if (work.RowParts > 1)
                {
                    work.B = AlignedBuffer.Rent(ref t_packedB, (long)work.Panels * depth * PanelWidth);
                    work.BPanel = (nint)depth * PanelWidth;
                    work.BRow = PanelWidth;
                    CpuThreads.Run(work.Panels, work, static (w, panel) => w.PackPanel(panel, w.B + (panel * w.BPanel)));
                }

                // Otherwise B stays null: each part packs a panel just before it uses it, since no other part needs it.
                CpuThreads.Run(work.RowParts * work.ColumnParts, work, static (w, part) => w.Compute(part));
            }
        }
    }

    /// <summary>C (m, n) ← A·B (+ C) with B packed whole: panel j (32 columns, k rows) at panels + j·k·32.</summary>
    public static void MultiplyPacked(float* a, nint aRow, nint aCol, float* panels, float* c, nint ldc, int m, int n, int k, bool accumulate)
    {
        SimdLevel level = Simd.Level;

        // Few rows: B is read once whatever the order, so each panel runs through in one go.
        int kBlocks = m <= GemmKernels.MaxRows ? 1 : (k + MaxKBlock - 1) / MaxKBlock;
        int kBlock = (k + kBlocks - 1) / kBlocks;
        for (int p0 = 0; p0 < k; p0 += kBlock)
        {
            Block work = new()
            {
                Level = level,
                A = a + (p0 * aCol),
                ARow = aRow,
                ACol = aCol,
                B = panels + ((nint)p0 * PanelWidth),
                BPanel = (nint)k * PanelWidth,
                BRow = PanelWidth,
                C = c,
                Ldc = ldc,
                Rows = m,
                Columns = n,
                Depth = Math.Min(kBlock, k - p0),
                Accumulate = accumulate || p0 > 0,
                Alpha = 1f,
            };
            work.Divide();
            CpuThreads.Run(work.RowParts * work.ColumnParts, work, static (w, part) => w.Compute(part));
        }
    }

    // One block of k and of columns, and how its C is divided into parts.
    private struct Block
    {
        public SimdLevel Level;
        public float* A;
        public nint ARow;
        public nint ACol;
        public float* B;        // panel j at B + j·BPanel, its row p at + p·BRow; null: pack from Source
        public nint BPanel;
        public nint BRow;
        public float* Source;
        public nint SourceStride;
        public bool SourceTransposed;
        public float* C;
        public nint Ldc;
        public int Rows;
        public int Columns;
        public int Depth;
        public bool Accumulate;
        public float Alpha;
        public int Panels;
        public int RowsPerPart;
        public int RowParts;
        public int PanelsPerPart;
        public int ColumnParts;

        /// <summary>
        /// Parts are rectangles of C. They never cut k, so an element is one chain of fused multiply-adds whatever the division,
        /// and the number of threads cannot show in the bits.
        /// </summary>
        public void Divide()
        {
            Panels = (Columns + PanelWidth - 1) / PanelWidth;
            // A product of few rows is bound by reading B: count at least 8 rows.
            long work = (long)Columns * Depth * Math.Max(Rows, 8);
            int wanted = CpuThreads.Count == 1 ? 1 : (int)Math.Clamp(work / MinPartWork, 1, CpuThreads.Count * 4L);
            int rows = Math.Max(48, (Rows + wanted - 1) / wanted);
            RowsPerPart = Math.Min(MaxRowBlock, (rows + GemmKernels.MaxRows - 1) / GemmKernels.MaxRows * GemmKernels.MaxRows);
            RowParts = (Rows + RowsPerPart - 1) / RowsPerPart;
            int columnParts = Math.Min(Panels, (wanted + RowParts - 1) / RowParts);
            PanelsPerPart = (Panels + columnParts - 1) / columnParts;
            ColumnParts = (Panels + PanelsPerPart - 1) / PanelsPerPart;
        }

        public readonly void PackPanel(int panel, float* target)
        {
            nint j = (nint)panel * PanelWidth;
            float* first = Source + (SourceTransposed ? j * SourceStride : j);
            GemmPacking.Panel(SourceTransposed, first, SourceStride, Depth, Math.Min(PanelWidth, Columns - (int)j), target);
        }

        public readonly void Compute(int part)
        {
            int i0 = part % RowParts * RowsPerPart;
            int rows = Math.Min(RowsPerPart, Rows - i0);
            int firstPanel = part / RowParts * PanelsPerPart;
            int lastPanel = Math.Min(Panels, firstPanel + PanelsPerPart);
            float* a = A + (i0 * ARow);
            nint aRow = ARow;
            nint aCol = ACol;

            // A plain A is read in place: the kernel broadcasts single elements, and along k they lie side by side.
            // A transposed one would touch a new page for each k.
            bool packA = Alpha != 1f || (aCol != 1 && rows >= 8);
            if (packA)
            {
                a = PackA(a, rows);
            }

            // A kernel reads whole panels: a plain B cannot be read in place where its columns end.
            bool inPlace = B == Source;
            float* onePanel = null;
            if (B == null || (inPlace && Columns % PanelWidth != 0))
            {
                onePanel = AlignedBuffer.Rent(ref t_onePanel, (long)Depth * PanelWidth);
            }

            int panel = firstPanel;
            const int wide = GemmKernels.WideColumns / PanelWidth;
            for (; inPlace && !packA && rows < 4 && panel + wide <= lastPanel && (panel + wide) * PanelWidth <= Columns; panel += wide)
            {
                for (int i = 0; i < rows; i++)
                {
                    GemmKernels.WideRow(Level, Depth, a + (i * aRow), aCol, B + (panel * BPanel), BRow, C + ((i0 + i) * Ldc) + (panel * PanelWidth), Accumulate);
                }
            }

            for (; panel < lastPanel; panel++)
            {
                int columns = Math.Min(PanelWidth, Columns - (panel * PanelWidth));
                float* b = B + (panel * BPanel);
                nint bRow = BRow;
                if (B == null || (inPlace && columns < PanelWidth))
                {
                    PackPanel(panel, onePanel);
                    b = onePanel;
                    bRow = PanelWidth;
                }

                float* c = C + (i0 * Ldc) + (panel * PanelWidth);
                for (int i = 0; i < rows;)
                {
                    int height = GemmKernels.KernelRows(Level, rows - i);
                    if (packA)
                    {
                        Tile(height, columns, a + ((nint)i * Depth), 1, height, b, bRow, c + (i * Ldc));
                    }
                    else
                    {
                        Tile(height, columns, a + (i * aRow), aRow, aCol, b, bRow, c + (i * Ldc));
                    }

                    i += height;
                }
            }
        }

        private readonly float* PackA(float* a, int rows)
        {
            float* packed = AlignedBuffer.Rent(ref t_packedA, (long)rows * Depth);
            GemmPacking.Strips(Level, a, ARow, ACol, rows, Depth, Alpha, packed);
            return packed;
        }

        private readonly void Tile(int height, int columns, float* a, nint aRow, nint aCol, float* b, nint bRow, float* c)
        {
            if (columns == PanelWidth)
            {
                GemmKernels.Tile(Level, height, columns, Depth, a, aRow, aCol, b, bRow, c, Ldc, Accumulate);
                return;
            }

            // The last panel: the kernel writes full width, so it works on a copy and only real columns go back.
            float* copy = stackalloc float[GemmKernels.MaxRows * PanelWidth];
            for (int i = 0; Accumulate && i < height; i++)
            {
                new Span<float>(c + (i * Ldc), columns).CopyTo(new Span<float>(copy + (i * PanelWidth), columns));
            }

            GemmKernels.Tile(Level, height, columns, Depth, a, aRow, aCol, b, bRow, copy, PanelWidth, Accumulate);
            for (int i = 0; i < height; i++)
            {
                new Span<float>(copy + (i * PanelWidth), columns).CopyTo(new Span<float>(c + (i * Ldc), columns));
            }
        }
    }
}
