using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>
/// dx = dy·W from the panels that are laid out for y = x·Wᵀ, so that a frozen weight needs no second copy.
/// </summary>
/// <remarks>
/// <code>
///   panel j = outputs 32j … 32j+31 side by side, one row for each input:
///
///              o = 32j … 32j+31                 dxᵀ = Wᵀ·dyᵀ: the weight is the left matrix, read in place by the strides
///            ┌───────────────────┐              (input p: 32 floats, output o: 1 float); dyᵀ, which is small, is packed
///      p = 0 │                   │              in panels of 32 rows of dy, 384 outputs at a time, by every part for itself:
///            │                   │              its part of dxᵀ waits in the second-level cache until all outputs are added,
///            │                   │              and is turned then. Twelve inputs by 32 outputs are 1.5 KB in one
///        ┌───┼───────────────────┤              piece, k runs on in the next panel.
///        │12 │  one piece        │
///        └───┼───────────────────┤              One to four rows: the time is that of reading W, see WideSums.
///            │                   │
/// </code>
/// The order of summation is that of <see cref="Gemm"/>: ascending outputs, one chain for each element; sixteen chains for one to four rows.
/// </remarks>
internal static unsafe partial class GemmFromPanels
{
    private const int Width = GemmKernels.PanelWidth;

    // Pieces of k at a time: 384·32 floats of dy are 48 KB, 12·384 of W are 18 KB.
    private const int PiecesPerSlice = 12;

    // Rows of dy in one part, and the least for which rows are divided between threads rather than inputs: each block of rows reads W again.
    private const int MaxRows = 128;
    private const int MinRows = 64;

    // Sums of one part, in floats: 512 KB of the second-level cache, beside 192 KB of dy and what streams by of W.
    private const int MaxSums = 128 * 1024;

    // Each part turns its rows of dy for itself, which takes as long as about twenty inputs: for so many it is worth it. More parts than
    // threads, because cores are not equally fast: others may use them too.
    private const int WorthTurning = 768;
    private const int PartsPerThread = 4;

    // Below this many multiply-adds a thread is not worth waking.
    private const long MinPartWork = 256 * 1024;

    [ThreadStatic]
    private static AlignedBuffer? t_packed;

    [ThreadStatic]
    private static AlignedBuffer? t_sums;

    /// <summary>dx (rows, inputs) ← dy (rows, outputs)·W (+ dx), W[32j + l, p] at panels + (j·inputs + p)·32 + l.</summary>
    public static void Multiply(float* panels, int outputs, int inputs, float* dy, int rows, float* dx, bool accumulate)
    {
        Product product = new() { Level = Simd.Level, Panels = panels, PanelStride = (nint)inputs * Width, Inputs = inputs, Outputs = outputs };
        int threads = ThreadsFor(outputs, inputs, rows);
        if (rows <= WideSums.MaxRows)
        {
            (product.Dx, product.Rows, product.Accumulate) = ((nint)dx, rows, accumulate);
            product.Dy = (nint)WideSums.Pack(rows, outputs, Width, dy);
            product.Parts = WideSums.Parts(inputs);
            CpuThreads.Run(product.Parts, product, static (p, part) => p.ComputeFewRows(part));
            return;
        }

        product.Divide(rows, threads);
        (product.Dy, product.Dx, product.Accumulate) = ((nint)dy, (nint)dx, accumulate);
        CpuThreads.Run(product.RowParts * product.Parts, product, static (p, part) => p.Compute(part));
    }

    /// <summary>
    /// sums (+)= (dy·W)ᵀ for some outputs, by this thread alone: dy turned, panel by panel of 32 rows, [outputs, 32]; the sums likewise [inputs, 32].
    /// </summary>
    /// <param name="level">The vector width.</param>
    /// <param name="panels">W of these outputs: whole panels, or a part of one.</param>
    /// <param name="inputs">Columns of W.</param>
    /// <param name="rows">Rows of dy.</param>
    /// <param name="outputs">A multiple of 32, or less than that.</param>
    /// <param name="dy">Zeros behind the last row of the last panel.</param>
    /// <param name="sums">Behind the last row some may be written that mean nothing.</param>
    /// <param name="accumulate">Adds to the sums instead of beginning them.</param>
    /// <param name="next">What is fetched meanwhile.</param>
    public static void AddTurned(SimdLevel level, float* panels, int inputs, int rows, int outputs, float* dy, float* sums, bool accumulate, in GemmBlocks.WantedNext next)
    {
        Product product = new() { Level = level, Panels = panels, PanelStride = (nint)inputs * Width, Inputs = inputs, Outputs = outputs, Rows = rows };
        product.AddSlice(0, inputs, 0, outputs, dy, sums, accumulate, next);
    }

    // A product of few rows is bound by reading W: at least 8 rows count.
    private static int ThreadsFor(int outputs, int inputs, int rows) =>
        (int)Math.Clamp((long)inputs * outputs * Math.Max(rows, 8) / MinPartWork, 1, CpuThreads.Count);

    private partial struct Product
    {
        public SimdLevel Level;
        public float* Panels;
        public nint PanelStride; // from panel to panel
        public int Inputs;
        public int Outputs;
        public int Rows;        // of all parts, or of the block that a part computes
        public int RowsPerPart;
        public int RowParts;
        public int Parts;       // ranges of inputs
        public nint Dy;         // a float*, at the first row
        public nint Dx;
        public bool Accumulate;

        private readonly int Strips => (Inputs + GemmKernels.MaxRows - 1) / GemmKernels.MaxRows;

        private readonly int RowPanels => (Rows + Width - 1) / Width;

        // Parts are blocks of rows, and of inputs where the sums would not fit, rows do not suffice for the threads, or inputs are many.
        // None of them cuts the outputs, so nobody's sums depend on the division.
        public void Divide(int rows, int threads)
        {
            Rows = rows;
            RowParts = (rows + MaxRows - 1) / MaxRows;
            int even = (RowParts + threads - 1) / threads * threads;
            if (rows >= MinRows * even)
            {
                RowParts = even;
            }

            RowsPerPart = (((rows + RowParts - 1) / RowParts) + Width - 1) / Width * Width;
            RowParts = (rows + RowsPerPart - 1) / RowsPerPart;
            int most = MaxSums / (RowsPerPart * GemmKernels.MaxRows);
            Parts = (Strips + most - 1) / most;
            if (threads > 1)
            {
                Parts = Math.Max(Parts, Math.Min(PartsPerThread * threads / RowParts, Inputs / WorthTurning));
            }

            while (RowParts * Parts % threads != 0 && Parts < Strips)
            {
                Parts++;
            }
        }

        // Parts are ranges of inputs, whole strips each.
        private readonly int InputOf(int part) => Math.Min(Inputs, (int)((long)part * Strips / Parts) * GemmKernels.MaxRows);

        public readonly void Compute(int part)
        {
            Product block = this;
            int row = part % RowParts * RowsPerPart;
            block.Rows = Math.Min(RowsPerPart, Rows - row);
            block.Dy += (nint)row * Outputs * sizeof(float);
            block.Dx += (nint)row * Inputs * sizeof(float);
            block.ComputeBlock(InputOf(part / RowParts), InputOf((part / RowParts) + 1));
        }

        private readonly void ComputeBlock(int first, int last)
        {
            float* sums = AlignedBuffer.Rent(ref t_sums, (long)(last - first) * RowPanels * Width);
            float* packed = AlignedBuffer.Rent(ref t_packed, (long)RowPanels * Width * PiecesPerSlice * Width);
            if (Accumulate)
            {
                Exchange(first, last, sums, load: true);
            }

            for (int o = 0, depth; o < Outputs; o += depth)
            {
                depth = SliceAt(o);
                Turn(o, depth, packed);
                AddSlice(first, last, o, depth, packed, sums, Accumulate || o > 0);
            }

            Exchange(first, last, sums, load: false);
        }

        // How many outputs, from one on, are a slice. All have about the same depth: a kernel of few steps spends its time exchanging sums.
        private readonly int SliceAt(int o)
        {
            int pieces = (Outputs + Width - 1) / Width;
            int slices = (pieces + PiecesPerSlice - 1) / PiecesPerSlice;
            int depth = Math.Min((pieces + slices - 1) / slices * Width, Outputs - o);
            return depth > Width ? depth / Width * Width : depth; // whole pieces, or the rest of the last one
        }

        // Some outputs of dy in panels of 32 rows. By each part and not once for all: so it lies in the cache of the core that reads it again and again.
        private readonly void Turn(int o, int depth, float* packed)
        {
            for (int i = 0; i < Rows; i += Width)
            {
                GemmPacking.Panel(true, (float*)Dy + ((nint)i * Outputs) + o, Outputs, depth, Math.Min(Width, Rows - i), packed + ((nint)i * depth));
            }
        }

        // Between dx and the sums, which lie transposed: for each panel of 32 rows of dy all inputs of the part, 32 floats each.
        // Eight rows of dx at a time: where a row is a multiple of 4 KB long, more of them would displace each other in the
        // first-level cache before their lines are full.
        private readonly void Exchange(int first, int last, float* sums, bool load)
        {
            const int group = 8;
            for (int i = 0; i < Rows; i += group)
            {
                int rows = Math.Min(group, Rows - i);
                float* dx = (float*)Dx + ((nint)i * Inputs) + first;
                for (int row = group; row < Math.Min(Rows - i, 2 * group); row++)
                {
                    // Short pieces of many rows: the hardware does not foresee them.
                    for (int p = 0; p < last - first; p += 16)
                    {
                        Prefetch.Nearest(dx + ((nint)row * Inputs) + p);
                    }
                }

                float* column = sums + ((nint)(i / Width) * (last - first) * Width) + (i % Width);
                if (load)
                {
                    GemmPacking.Transpose(dx, Inputs, rows, last - first, column, Width);
                }
                else
                {
                    GemmPacking.Transpose(column, Width, last - first, rows, dx, Inputs);
                }
            }
        }

        // The sums of inputs first … last-1 go on over `depth` outputs from o on. What is fetched meanwhile is W, strip by strip, or what is wanted next.
        public readonly void AddSlice(int first, int last, int o, int depth, float* packed, float* sums, bool accumulate, in GemmBlocks.WantedNext next = default)
        {
            float* weight = Panels + (o / Width * PanelStride);
            int share = (GemmKernels.MaxRows + RowPanels - 1) / RowPanels; // floats of W that each panel of dy fetches in a step
            TileWork tile = new()
            {
                ARow = Width,
                ACol = 1,
                APiece = PanelStride,
                Pieces = (depth + Width - 1) / Width,
                Depth = Math.Min(depth, Width),
                BRow = Width,
                Ldc = Width,
                Accumulate = accumulate,
                AheadStep = share,
            };
            tile.AheadPiece = PanelStride - (share * tile.Depth);
            int tiles = (last - first + GemmKernels.MaxRows - 1) / GemmKernels.MaxRows * RowPanels, tilesOfPiece = 1;
            nint fetched = 0;
            if (next.Pieces > 0)
            {
                tilesOfPiece = (tiles + next.Pieces - 1) / next.Pieces;
                fetched = (next.Length + tilesOfPiece - 1) / tilesOfPiece;
                tile.AheadStep = (fetched + depth - 1) / depth;
                tile.AheadPiece = 0;
            }

            int number = 0;
            for (int p = first; p < last;)
            {
                int height = GemmKernels.KernelRows(Level, last - p);
                float* strip = weight + ((nint)p * Width);
                tile.A = strip;
                tile.Ahead = strip + (height * Width);
                for (int panel = 0; panel < RowPanels; panel++)
                {
                    tile.B = packed + ((nint)panel * depth * Width);
                    tile.C = sums + ((((nint)panel * (last - first)) + p - first) * Width);
                    if (next.Pieces > 0)
                    {
                        tile.Ahead = next.First + (number / tilesOfPiece * next.Step) + (number % tilesOfPiece * fetched);
                        number++;
                    }

                    GemmKernels.Tile(Level, height, Math.Min(Width, Rows - (panel * Width)), &tile);
                    tile.Ahead += share * Width;
                }

                p += height;
            }
        }

        // See WideSums.
        public readonly void ComputeFewRows(int part)
        {
            int first = WideSums.FirstInput(part, Parts, Inputs);
            int count = WideSums.FirstInput(part + 1, Parts, Inputs) - first;
            float* sums = WideSums.Rent(Rows, count);

            // Up to four panels together, see PanelStreams; two of them in one kernel.
            nint panel = (nint)Inputs * Width;
            nint rowsOfPanel = (nint)Rows * Width;
            for (int o = 0, together; o < Outputs; o += together * Width)
            {
                together = PanelStreams.Together((Outputs - o + Width - 1) / Width);
                int inKernel = Math.Min(together, 2);
                int blocks = PanelStreams.Blocks(count, Width * sizeof(float), together);
                float* w = Panels + (o * (nint)Inputs) + ((nint)first * Width);
                float* dy = (float*)Dy + (o * (nint)Rows);
                for (int block = 0, k = 0, depth; block < blocks; block++, k += depth)
                {
                    depth = (int)((long)count * (block + 1) / blocks) - k;
                    float* next = w + (block + 1 < blocks ? (nint)(k + depth) * Width : together * panel);
                    PanelStreams ahead = new((byte*)next, panel * sizeof(float), together);
                    for (int i = 0; i < together; i += inKernel)
                    {
                        float* at = w + (i * panel) + ((nint)k * Width);
                        WideSums.Add(Level, Rows, at, inKernel == 2 ? panel : 0, depth, dy + (i * rowsOfPanel), Width, rowsOfPanel, sums + ((nint)k * Rows * WideSums.Chains), ahead.Of(i, (nint)depth * Width * sizeof(float)));
                    }
                }
            }

            WideSums.Finish(Rows, count, sums, (float*)Dx + first, Inputs, Accumulate);
        }
    }
}
