namespace ElderManaged.Tensors;

/// <summary>
/// The loops around the micro-kernels: blocks of k that fit the cache, parts of C for the threads, packing where it pays.
/// After K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
/// </summary>
internal static unsafe class GemmBlocks
{
    private const int PanelWidth = GemmKernels.PanelWidth;

    // A block of k: a panel of B is then 48 KB, and streams from the second-level cache while a strip of A stays in the first.
    // Kernels of fewer rows and columns take longer blocks, so that they exchange their sums with memory less often.
    private static int MaxKBlock(SimdLevel level) => level == SimdLevel.Vector512 ? 384 : 768;

    // Up to this depth a product is bound by writing C rather than by reading B.
    private const int ShortDepth = 128;

    // A short product whose C has at most so many elements, 2 MB, finds it in the second-level cache. It goes over C a few panels at a time, the fewer
    // the deeper: 16 KB of B, which then stay in the first-level cache for all strips of A.
    private const int NearElements = 512 * 1024, NearSteps = 128, LeastNearPanels = 4;

    // Tiles of fewer steps do not hide that their stores wait for C: it is fetched beforehand. For others that costs more than it saves.
    private const int DepthThatHidesStores = 6;

    // Rows of one part: 252·384 floats of A are 378 KB of the second-level cache.
    private const int MaxRowBlock = 252;

    // How far ahead of itself a single strip fetches B: 4 KB, about what arrives while one fetch from memory is under way.
    private const int AheadOne = 1024;

    // Up to so many strips of A the time is that of reading B: four panels are then walked together, so many steps of k in each at a time.
    private const int MostStripsTogether = 3;
    private const int Together = 4;
    private const int BlockTogether = 64;

    // Columns of B packed at a time: 384·4096 floats are 6 MB.
    private const int MaxColumnBlock = 4096;

    // A part has at least so many multiply-adds; about so many are done in a microsecond by one thread.
    private const long MinPartWork = 64 * 1024, Rate = 50_000;

    // Less work than this is divided evenly, one part for each thread.
    private const long ShortWork = 500 * Rate;

    // Writing an element of C, and reading it before, takes as long as so many multiply-adds.
    private const int WorkOfElement = 16;

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

        // With few rows, or few k, packing B costs more than it saves; a plain B is then read in place (a transposed one cannot be).
        // A narrow B lies dense and serves as a panel, but for its last rows, where a kernel would read past the end of B.
        bool narrow = !transB && n <= PanelWidth && ldb <= PanelWidth && k >= 8 * PanelWidth;
        bool inPlace = narrow || (!transB && (m < 24 || k < 16 || (m <= 64 && k <= 32)));
        int columnBlock = inPlace ? n : MaxColumnBlock;
        for (int j0 = 0; j0 < n; j0 += columnBlock)
        {
            Block work = new()
            {
                Level = level,
                A = a,
                ARow = aRow,
                ACol = aCol,
                Source = transB ? b + (j0 * ldb) : b + j0,
                SourceStride = ldb,
                SourceTransposed = transB,
                C = c + j0,
                Ldc = ldc,
                Rows = m,
                Columns = Math.Min(columnBlock, n - j0),
                Depth = k,
                Slice = SliceOf(level, k),
                Accumulate = accumulate,
                Alpha = alpha,
                Readable = narrow ? Math.Max(0, k - (int)((PanelWidth - n + ldb - 1) / ldb)) : 0,
            };
            work.Divide();
            if (inPlace)
            {
                work.B = work.Source;
                work.BPanel = PanelWidth;
                work.BRow = ldb;
            }

            if (inPlace || work.RowParts == 1)
            {
                // When not in place, B stays null: each part packs a panel just before it uses it, since no other part needs it.
                CpuThreads.Run(work.RowParts * work.ColumnParts, work, static (w, part) => w.Compute(part));
                continue;
            }

            for (int p0 = 0; p0 < k; p0 += work.Slice)
            {
                Block slice = work.SliceAt(p0);
                slice.B = AlignedBuffer.Rent(ref t_packedB, (long)slice.Panels * slice.Depth * PanelWidth);
                slice.BPanel = (nint)slice.Depth * PanelWidth;
                slice.BRow = PanelWidth;
                CpuThreads.Run(slice.Panels, slice, static (w, panel) => w.PackPanel(panel, w.B + (panel * w.BPanel)));
                CpuThreads.Run(slice.RowParts * slice.ColumnParts, slice, static (w, part) => w.Compute(part));
            }
        }
    }

    /// <summary>C (m, n) ← A·B (+ C, or + a bias for each column) with B packed whole: panel j (32 columns, k rows) at panels + j·k·32.</summary>
    public static void MultiplyPacked(
        float* a, nint aRow, nint aCol, float* panels, float* c, nint ldc, int m, int n, int k, bool accumulate, float* bias = null, in WantedNext next = default)
    {
        Block work = new()
        {
            Level = Simd.Level,
            A = a,
            ARow = aRow,
            ACol = aCol,
            B = panels,
            BPanel = (nint)k * PanelWidth,
            BRow = PanelWidth,
            C = c,
            Ldc = ldc,
            Rows = m,
            Columns = n,
            Depth = k,

            // Few rows: B is read once whatever the order, so each panel runs through in one go.
            Slice = m <= GemmKernels.MaxRows ? k : SliceOf(Simd.Level, k),
            Accumulate = accumulate || bias != null,
            Bias = bias,
            Alpha = 1f,
            Next = next,
        };
        work.Divide();
        CpuThreads.Run(work.RowParts * work.ColumnParts, work, static (w, part) => w.Compute(part));
    }

    /// <summary>Memory that the caller wants after the product: pieces that lie equally far apart, fetched one by one with the first panels.</summary>
    public struct WantedNext
    {
        public float* First;
        public nint Step;
        public int Pieces;
        public nint Length;

        /// <summary>Of each piece the part from first / all of its length to end / all.</summary>
        public readonly WantedNext Part(nint first, nint end, nint all)
        {
            nint begin = Length * first / all;
            return this with { First = First + begin, Length = (Length * end / all) - begin };
        }
    }

    // Slices of k of equal depth, as few as the cache allows.
    private static int SliceOf(SimdLevel level, int k)
    {
        int most = MaxKBlock(level);
        int slices = (k + most - 1) / most;
        return (k + slices - 1) / slices;
    }

    // A product, or a slice of its k, and how its C is divided into parts.
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
        public int Slice;
        public int Readable;    // rows of a plain B whose last panel can be read in full width
        public bool Accumulate;
        public float* Bias;     // where Accumulate, every row of C begins with it; null: with what is there
        public float Alpha;
        public WantedNext Next;
        public int Panels;
        public int RowParts;
        public int ColumnParts;

        /// <summary>
        /// Parts are rectangles of C. They never cut k, so an element is one chain of fused multiply-adds whatever the division,
        /// and the number of threads cannot show in the bits.
        /// </summary>
        public void Divide()
        {
            Panels = (Columns + PanelWidth - 1) / PanelWidth;
            // A product of few rows is bound by reading B: count at least 8 rows.
            long work = (long)Columns * (Depth + WorkOfElement) * Math.Max(Rows, 8);
            // A part that another thread helps out with leaves C in that one's cache: where all takes little time, there is none to spare.
            int perThread = work < ShortWork ? 1 : 4;
            int wanted = CpuThreads.AreWorth((double)work / Rate) ? (int)Math.Clamp(work / MinPartWork, 1, CpuThreads.Count * perThread) : 1;
            // Whole rows if they fit the cache, since each part of the rows reads all of B.
            // With few columns the threads share the rows.
            RowParts = Math.Max((Rows + MaxRowBlock - 1) / MaxRowBlock, Panels < wanted ? (wanted + Panels - 1) / Panels : 1);
            int columnParts = (wanted + RowParts - 1) / RowParts;
            if (wanted > 1)
            {
                // The same number for each thread. Where there are many blocks of rows, none is cut: each is packed once, and C is written along its rows.
                int threads = CpuThreads.Count;
                if (RowParts >= 2 * threads)
                {
                    RowParts = (RowParts + threads - 1) / threads * threads;
                    columnParts = 1;
                }
                else
                {
                    columnParts = (columnParts + threads - 1) / threads * threads;
                }
            }

            RowParts = Math.Min(RowParts, RowStrips);
            ColumnParts = Math.Min(Panels, columnParts);
        }

        /// <summary>The same product with only Slice steps of k, from <paramref name="p0"/> on.</summary>
        public readonly Block SliceAt(int p0)
        {
            Block slice = this;
            slice.A += p0 * ACol;
            slice.B = B == null ? null : B + (p0 * BRow);
            slice.Source += SourceTransposed ? p0 : p0 * SourceStride;
            slice.Depth = Math.Min(Slice, (p0 < Readable ? Readable : Depth) - p0);
            slice.Readable = Math.Max(0, Readable - p0);
            slice.Accumulate = Accumulate || p0 > 0;
            slice.Bias = p0 > 0 ? null : Bias;
            slice.Next = Next.Part(p0, p0 + slice.Depth, Depth);
            return slice;
        }

        public readonly void PackPanel(int panel, float* target)
        {
            nint j = (nint)panel * PanelWidth;
            float* first = Source + (SourceTransposed ? j * SourceStride : j);
            GemmPacking.Panel(SourceTransposed, first, SourceStride, Depth, Math.Min(PanelWidth, Columns - (int)j), target);
        }

        public readonly void Compute(int part)
        {
            for (int p0 = 0; p0 < Depth;)
            {
                Block slice = SliceAt(p0);
                slice.ComputeSlice(part);
                p0 += slice.Depth;
            }
        }

        private readonly void ComputeSlice(int part)
        {
            int i0 = RowOf(part % RowParts);
            int rows = RowOf((part % RowParts) + 1) - i0;
            int firstPanel = PanelOf(part / RowParts);
            int lastPanel = PanelOf((part / RowParts) + 1);
            float* a = A + (i0 * ARow);
            nint aRow = ARow;
            nint aCol = ACol;

            // A plain A is read in place: the kernel broadcasts single elements, and along k they lie side by side.
            // A transposed one touches a new page for each k, which is worth packing if it is read for more than two panels.
            bool packA = Alpha != 1f || (aCol != 1 && rows >= 8 && lastPanel - firstPanel > 2);
            if (packA)
            {
                a = PackA(a, rows);
            }

            // A kernel reads whole panels: a plain B cannot be read in place where its columns end.
            bool inPlace = B == Source;
            if (B == null && SourceTransposed && !packA && aCol == 1 && Depth >= 32 && GemmTurn.Serves(Level, rows))
            {
                int first = firstPanel * PanelWidth;
                float* c = C + (i0 * Ldc) + first;
                int count = Math.Min(Columns, lastPanel * PanelWidth) - first;
                for (int i = 0; !Accumulate && i < rows; i++)
                {
                    new Span<float>(c + (i * Ldc), count).Clear();
                }

                GemmTurn.Run(rows, Source + (first * SourceStride), SourceStride, count, Depth, a, aRow, c, Ldc);
                return;
            }

            float* onePanel = null;
            if (B == null || (inPlace && Columns % PanelWidth != 0 && Readable < Depth))
            {
                onePanel = AlignedBuffer.Rent(ref t_onePanel, (long)Depth * PanelWidth);
            }

            int panel = firstPanel;
            const int wide = GemmWideRow.WideColumns / PanelWidth;
            for (; inPlace && !packA && rows < 4 && panel + wide <= lastPanel && (panel + wide) * PanelWidth <= Columns; panel += wide)
            {
                for (int i = 0; i < rows; i++)
                {
                    GemmWideRow.Run(Level, Depth, a + (i * aRow), aCol, B + (panel * BPanel), BRow, C + ((i0 + i) * Ldc) + (panel * PanelWidth), Accumulate);
                }
            }

            int strips = 0;
            for (int i = 0; i < rows; i += GemmKernels.KernelRows(Level, rows - i))
            {
                strips++;
            }

            TileWork tile = new() { ARow = aRow, ACol = aCol, Ldc = Ldc, Depth = Depth, Pieces = 1, Accumulate = Accumulate };
            if (Depth <= ShortDepth && onePanel == null && strips > 1)
            {
                ComputeShort(tile, a, i0, rows, packA, firstPanel: panel, lastPanel);
                return;
            }

            if (Level == SimdLevel.Vector512 && B != null && !inPlace && strips <= MostStripsTogether && Next.Pieces == 0)
            {
                for (; panel + Together <= lastPanel && (panel + Together) * PanelWidth <= Columns; panel += Together)
                {
                    tile.C = C + (i0 * Ldc) + (panel * PanelWidth);
                    tile.Bias = BiasOf(panel);
                    WalkTogether(&tile, a, rows, packA, B + (panel * BPanel), strips);
                }
            }

            for (; panel < lastPanel; panel++)
            {
                int columns = Math.Min(PanelWidth, Columns - (panel * PanelWidth));
                tile.B = B + (panel * BPanel);
                tile.BRow = BRow;
                if (B == null || (inPlace && columns < PanelWidth && Readable < Depth))
                {
                    PackPanel(panel, onePanel);
                    tile.B = onePanel;
                    tile.BRow = PanelWidth;
                }

                // While this panel is used, the next one is fetched: each strip asks for its share of it. A single strip asks
                // for what it needs itself a little later.
                tile.Ahead = B == null ? tile.B : inPlace ? tile.B + (16 * tile.BRow) : strips == 1 ? tile.B + AheadOne : panel + 1 < lastPanel ? tile.B + BPanel : B + (firstPanel * BPanel) + (Depth * BRow);
                tile.AheadStep = B == null ? 0 : inPlace ? tile.BRow : (PanelWidth + strips - 1) / strips;
                if (Next.Pieces > 0)
                {
                    // B is in the cache already: what is fetched is what the caller wants next.
                    bool wanted = panel < Next.Pieces;
                    tile.Ahead = wanted ? Next.First + (panel * Next.Step) : tile.B;
                    tile.AheadStep = wanted ? (Next.Length + ((nint)strips * Depth) - 1) / ((nint)strips * Depth) : 0;
                }

                nint share = tile.AheadStep * Depth;
                tile.Bias = BiasOf(panel);
                tile.C = C + (i0 * Ldc) + (panel * PanelWidth);
                for (int i = 0; i < rows;)
                {
                    int height = GemmKernels.KernelRows(Level, rows - i);
                    SetStrip(&tile, a, i, height, packA);
                    FetchRows(tile.C + (height * Ldc), Math.Min(height, rows - i - height));
                    Tile(height, columns, &tile);
                    tile.C += height * Ldc;
                    tile.Ahead += inPlace ? 0 : share;
                    i += height;
                }
            }
        }

        // C is the most of what there is to move: a large one is written along its rows, page by page.
        private readonly void ComputeShort(TileWork tile, float* a, int i0, int rows, bool packed, int firstPanel, int lastPanel)
        {
            int together = (long)Rows * Columns <= NearElements ? Math.Max(LeastNearPanels, NearSteps / Depth) : Panels;
            tile.BRow = BRow;
            for (int panel = firstPanel, end; panel < lastPanel; panel = end)
            {
                end = Math.Min(lastPanel, panel + together);
                for (int i = 0; i < rows;)
                {
                    int height = GemmKernels.KernelRows(Level, rows - i);
                    SetStrip(&tile, a, i, height, packed);
                    tile.C = C + ((i0 + i) * Ldc) + (panel * PanelWidth);
                    for (int right = panel; right < end; right++)
                    {
                        tile.B = B + (right * BPanel);
                        tile.Bias = BiasOf(right);
                        tile.Ahead = tile.B;
                        if (Depth < DepthThatHidesStores)
                        {
                            FetchRows(tile.C + PanelWidth, height);
                        }

                        Tile(height, Math.Min(PanelWidth, Columns - (right * PanelWidth)), &tile);
                        tile.C += PanelWidth;
                    }

                    i += height;
                }
            }
        }

        // Few strips wait for B, so they walk it as PanelStreams shows, with its next blocks fetched two panels at a time:
        //
        //   panels   A0 B0 C0 D0  A1 B1 C1 D1 …    while A0 and B0 are used, A1 and B1 are fetched, and so on; while the last blocks
        //                                          are, the first ones of the next four panels.
        private readonly void WalkTogether(TileWork* tile, float* a, int rows, bool packed, float* b, int strips)
        {
            float* c = tile->C;
            float* bias = tile->Bias;
            tile->BRow = BRow;
            tile->AheadApart = BPanel - 16;
            tile->AheadStep = (16 + strips - 1) / strips;
            for (int k = 0, depth; k < Depth; k += depth)
            {
                depth = Depth - k < 2 * BlockTogether ? Depth - k : BlockTogether;
                nint next = k + depth < Depth ? (k + depth) * BRow : Together * BPanel;
                tile->Depth = depth;
                tile->Accumulate = Accumulate || k > 0;
                for (int panel = 0; panel < Together; panel++)
                {
                    int share = panel % 2 * strips;
                    tile->C = c + (panel * PanelWidth);
                    tile->Bias = bias == null || k > 0 ? null : bias + (panel * PanelWidth);
                    for (int i = 0; i < rows;)
                    {
                        int height = GemmKernels.KernelRows(Level, rows - i);
                        SetStrip(tile, a, i, height, packed);
                        tile->A += k * tile->ACol;
                        tile->B = b + (panel * BPanel) + (k * BRow);
                        tile->Ahead = b + ((panel - (panel % 2)) * BPanel) + next + (share++ * tile->AheadStep * depth);
                        GemmKernels.Tile(Level, height, PanelWidth, tile);
                        tile->C += height * Ldc;
                        i += height;
                    }
                }
            }

            tile->Depth = Depth;
            tile->Accumulate = Accumulate;
            tile->AheadApart = 0;
        }

        private readonly float* BiasOf(int panel) => Bias == null ? null : Bias + (panel * PanelWidth);

        // Column parts differ by at most one panel.
        private readonly int PanelOf(int columnPart) => (int)((long)columnPart * Panels / ColumnParts);

        // Row parts differ by at most one strip of the tallest kernel.
        private readonly int RowOf(int rowPart) => Math.Min(Rows, (int)((long)rowPart * RowStrips / RowParts) * GemmKernels.MaxRows);

        private readonly int RowStrips => (Rows + GemmKernels.MaxRows - 1) / GemmKernels.MaxRows;

        private readonly float* PackA(float* a, int rows)
        {
            float* packed = AlignedBuffer.Rent(ref t_packedA, (long)rows * Depth);
            GemmPacking.Strips(Level, a, ARow, ACol, rows, Depth, Alpha, packed);
            return packed;
        }

        private readonly void SetStrip(TileWork* tile, float* a, int i, int height, bool packed)
        {
            tile->A = packed ? a + ((nint)i * Depth) : a + (i * ARow);
            tile->ARow = packed ? 1 : ARow;
            tile->ACol = packed ? height : ACol;
        }

        // The next tile's part of C: short pieces of many rows are not foreseen by the hardware.
        private readonly void FetchRows(float* c, int rows)
        {
            for (int i = 0; i < rows; i++)
            {
                Prefetch.Nearest(c);
                Prefetch.Nearest(c + 16);
                c += Ldc;
            }
        }

        private readonly void Tile(int height, int columns, TileWork* tile)
        {
            if (columns == PanelWidth)
            {
                GemmKernels.Tile(Level, height, columns, tile);
                return;
            }

            // The last panel: the kernel writes full width, so it works on a copy and only real columns go back.
            float* copy = stackalloc float[GemmKernels.MaxRows * PanelWidth];
            float* c = tile->C;
            for (int i = 0; Accumulate && i < height; i++)
            {
                float* start = tile->Bias != null ? tile->Bias : c + (i * Ldc);
                new Span<float>(start, columns).CopyTo(new Span<float>(copy + (i * PanelWidth), columns));
            }

            TileWork onCopy = *tile;
            onCopy.Bias = null;
            onCopy.C = copy;
            onCopy.Ldc = PanelWidth;
            GemmKernels.Tile(Level, height, columns, &onCopy);
            for (int i = 0; i < height; i++)
            {
                new Span<float>(copy + (i * PanelWidth), columns).CopyTo(new Span<float>(c + (i * Ldc), columns));
            }
        }
    }
}
