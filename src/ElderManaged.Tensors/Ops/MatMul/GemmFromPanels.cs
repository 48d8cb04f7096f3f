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
///      p = 0 │                   │              in panels of 32 rows of dy. Twelve inputs by 32 outputs are 1.5 KB in one
///        ┌───┼───────────────────┤              piece, k runs on in the next panel.
///        │12 │  one piece        │
///        └───┼───────────────────┤              One to four rows: the time is that of reading W, see WideSums.
///            │                   │
/// </code>
/// The order of summation is that of <see cref="Gemm"/>: ascending outputs, one chain for each element; sixteen chains for one to four rows.
/// </remarks>
internal static unsafe class GemmFromPanels
{
    private const int Width = GemmKernels.PanelWidth;

    // Pieces of k at a time: 384·32 floats of dy are 48 KB, 12·384 of W are 18 KB.
    private const int PiecesPerSlice = 12;

    // Outputs for which dy is packed at once; for 512 rows that is 6 MB.
    private const int MaxSlab = 8 * PiecesPerSlice * Width;

    // Strips of 12 inputs in one part, for up to 128 rows and for more: 192 inputs by 512 rows are 384 KB of sums. The longer
    // a part's pieces of dx are, the less of its time goes into turning the sums.
    private const int MaxStripsFewRows = 32;
    private const int MaxStrips = 16;

    // With at most this many panels of dy a strip of W is read where it lies; with more, copying it first pays.
    private const int PanelsInPlace = 4;

    private const int MaxRows = 512;

    // How many inputs ahead few rows ask for memory: 2 KB.
    private const int AheadInputs = 16;

    // Below this many multiply-adds a thread is not worth waking.
    private const long MinPartWork = 256 * 1024;

    [ThreadStatic]
    private static AlignedBuffer? t_packed;

    [ThreadStatic]
    private static AlignedBuffer? t_sums;

    /// <summary>dx (rows, inputs) ← dy (rows, outputs)·W (+ dx), W[32j + l, p] at panels + (j·inputs + p)·32 + l.</summary>
    public static void Multiply(float* panels, int outputs, int inputs, float* dy, int rows, float* dx, bool accumulate)
    {
        Product product = new() { Level = Simd.Level, Panels = panels, Inputs = inputs, Outputs = outputs };
        int strips = (inputs + GemmKernels.MaxRows - 1) / GemmKernels.MaxRows;
        int threads = (int)Math.Clamp((long)inputs * outputs * Math.Max(rows, 8) / MinPartWork, 1, CpuThreads.Count);
        if (rows <= WideSums.MaxRows)
        {
            (product.Dx, product.Rows, product.Accumulate) = ((nint)dx, rows, accumulate);
            product.Dy = (nint)WideSums.Pack(rows, outputs, Width, dy);
            product.Parts = WideSums.Parts(rows, inputs);
            CpuThreads.Run(product.Parts, product, static (p, part) => p.ComputeFewRows(part));
            return;
        }

        int most = rows <= PanelsInPlace * Width ? MaxStripsFewRows : MaxStrips;
        product.Parts = (strips + most - 1) / most;
        product.Parts = Math.Min(strips, (product.Parts + threads - 1) / threads * threads);
        int slabs = (outputs + MaxSlab - 1) / MaxSlab;
        int slab = (((outputs + slabs - 1) / slabs) + Width - 1) / Width * Width;
        for (int i0 = 0; i0 < rows; i0 += MaxRows)
        {
            for (int o0 = 0; o0 < outputs; o0 += slab)
            {
                product.FirstOutput = o0;
                product.Depth = Math.Min(slab, outputs - o0);
                product.Rows = Math.Min(MaxRows, rows - i0);
                product.RowPanels = (product.Rows + Width - 1) / Width;
                product.Dy = (nint)(dy + ((nint)i0 * outputs) + o0);
                product.Dx = (nint)(dx + ((nint)i0 * inputs));
                product.Accumulate = accumulate || o0 > 0;
                product.Packed = AlignedBuffer.Rent(ref t_packed, (long)product.RowPanels * Width * product.Depth);
                CpuThreads.Run(product.RowPanels, product, static (p, panel) => p.PackRows(panel));
                CpuThreads.Run(product.Parts, product, static (p, part) => p.Compute(part));
            }
        }
    }

    private struct Product
    {
        public SimdLevel Level;
        public float* Panels;
        public int Inputs;
        public int Outputs;
        public int FirstOutput; // of this slab, a multiple of 32
        public int Depth;       // outputs in this slab
        public int Rows;
        public int RowPanels;
        public int Parts;
        public nint Dy;         // a float*, at the slab's first row and output
        public nint Dx;
        public float* Packed;   // dy[32r + l, o] at (r·Depth + o)·32 + l
        public bool Accumulate;

        // Parts are ranges of inputs, whole strips each.
        private readonly int InputOf(int part)
        {
            int strips = (Inputs + GemmKernels.MaxRows - 1) / GemmKernels.MaxRows;
            return Math.Min(Inputs, (int)((long)part * strips / Parts) * GemmKernels.MaxRows);
        }

        public readonly void PackRows(int panel)
        {
            int i = panel * Width;
            GemmPacking.Panel(true, (float*)Dy + ((nint)i * Outputs), Outputs, Depth, Math.Min(Width, Rows - i), Packed + ((nint)i * Depth));
        }

        public readonly void Compute(int part)
        {
            int first = InputOf(part);
            int last = InputOf(part + 1);
            float* sums = AlignedBuffer.Rent(ref t_sums, ((long)(last - first) * RowPanels * Width) + (PiecesPerSlice * GemmKernels.MaxRows * Width));
            if (Accumulate)
            {
                Exchange(first, last, sums, load: true);
            }

            // Slices of about the same depth: a kernel of few steps spends its time exchanging sums.
            int pieces = (Depth + Width - 1) / Width;
            int slices = (pieces + PiecesPerSlice - 1) / PiecesPerSlice;
            int slice = (pieces + slices - 1) / slices * Width;
            for (int o = 0; o < Depth;)
            {
                int depth = Math.Min(slice, Depth - o);
                depth = depth > Width ? depth / Width * Width : depth; // whole pieces, or the rest of the last one
                AddSlice(first, last, o, depth, sums, Accumulate || o > 0);
                o += depth;
            }

            Exchange(first, last, sums, load: false);
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

        // The sums of inputs first … last-1 go on over `depth` outputs from o on.
        private readonly void AddSlice(int first, int last, int o, int depth, float* sums, bool accumulate)
        {
            nint pieceStride = (nint)Inputs * Width;
            float* weight = Panels + ((FirstOutput + o) / Width * pieceStride);
            int share = (GemmKernels.MaxRows + RowPanels - 1) / RowPanels; // floats of W that each panel of dy fetches in a step
            TileWork tile = new()
            {
                ARow = Width,
                ACol = 1,
                APiece = pieceStride,
                Pieces = (depth + Width - 1) / Width,
                Depth = Math.Min(depth, Width),
                BRow = Width,
                Ldc = Width,
                Accumulate = accumulate,
                AheadStep = share,
            };
            tile.AheadPiece = pieceStride - (share * tile.Depth);
            float* copy = sums + ((nint)(last - first) * RowPanels * Width);
            for (int p = first; p < last;)
            {
                int height = GemmKernels.KernelRows(Level, last - p);
                float* strip = weight + ((nint)p * Width);
                tile.A = strip;
                if (RowPanels > PanelsInPlace)
                {
                    // Used often. The pieces of a strip lie whole pages apart and compete for the same few lines of the cache.
                    for (nint piece = 0; piece < tile.Pieces; piece++)
                    {
                        Unsafe.CopyBlockUnaligned(copy + (piece * height * Width), strip + (piece * pieceStride), (uint)(height * Width * sizeof(float)));
                    }

                    tile.A = copy;
                    tile.APiece = height * Width;
                }

                tile.Ahead = strip + (height * Width);
                for (int panel = 0; panel < RowPanels; panel++)
                {
                    tile.B = Packed + ((((nint)panel * Depth) + o) * Width);
                    tile.C = sums + ((((nint)panel * (last - first)) + p - first) * Width);
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

            // Memory is asked for a piece ahead; behind this part's inputs of a panel come those of the next one or two.
            int last = Math.Min(count, AheadInputs);
            int body = count - last;
            nint ahead = last * Width;
            nint panel = (nint)Inputs * Width;
            for (int o = 0; o < Outputs;)
            {
                float* w = Panels + (o * (nint)Inputs) + ((nint)first * Width);
                float* dy = (float*)Dy + ((nint)o * Rows);
                nint second = o + Width < Outputs ? panel : 0;
                nint dySecond = (nint)Rows * Width;
                nint jump = panel + second - ((nint)count * Width);
                WideSums.Add(Level, Rows, w, second, body, dy, Width, dySecond, sums, ahead);
                WideSums.Add(Level, Rows, w + ((nint)body * Width), second, last, dy, Width, dySecond, sums + ((nint)body * Rows * WideSums.Chains), ahead + jump);
                o += second == 0 ? Width : 2 * Width;
            }

            WideSums.Finish(Rows, count, sums, (float*)Dx + first, Inputs, Accumulate);
        }
    }
}
