using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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
///        └───┼───────────────────┤              One to four rows: the time is that of reading W. Squares of 8×8 are turned
///            │                   │              in registers, which gives 8 inputs side by side for each output.
/// </code>
/// The order of summation is that of <see cref="Gemm"/>: ascending outputs, one chain for each element.
/// </remarks>
internal static unsafe class GemmFromPanels
{
    private const int Width = GemmKernels.PanelWidth;

    // Pieces of k at a time: 384·32 floats of dy are 48 KB, 12·384 of W are 18 KB.
    private const int PiecesPerSlice = 12;

    // Outputs for which dy is packed at once; for 512 rows that is 6 MB.
    private const int MaxSlab = 8 * PiecesPerSlice * Width;

    // Strips of 12 inputs in one part: 96 inputs by 512 rows are 192 KB of sums.
    private const int MaxStrips = 8;

    private const int MaxRows = 512;

    // Up to here the time is that of reading W.
    private const int FewRows = 4;

    // Inputs of one part then: the sums of four rows stay in the first-level cache.
    private const int FewRowsInputs = 384;

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
        if (rows <= FewRows && Avx.IsSupported && product.Level >= SimdLevel.Vector256)
        {
            (product.Dy, product.Dx, product.Rows, product.Accumulate) = ((nint)dy, (nint)dx, rows, accumulate);
            product.Parts = (inputs + FewRowsInputs - 1) / FewRowsInputs;
            product.Parts = Math.Min(strips, (product.Parts + threads - 1) / threads * threads);
            CpuThreads.Run(product.Parts, product, static (p, part) => p.ComputeFewRows(part));
            return;
        }

        product.Parts = (strips + MaxStrips - 1) / MaxStrips;
        product.Parts = Math.Min(strips, (product.Parts + threads - 1) / threads * threads);
        for (int i0 = 0; i0 < rows; i0 += MaxRows)
        {
            for (int o0 = 0; o0 < outputs; o0 += MaxSlab)
            {
                product.FirstOutput = o0;
                product.Depth = Math.Min(MaxSlab, outputs - o0);
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

            for (int o = 0; o < Depth;)
            {
                int depth = Math.Min(PiecesPerSlice * Width, Depth - o);
                depth = depth > Width ? depth / Width * Width : depth; // whole pieces, or the rest of the last one
                AddSlice(first, last, o, depth, sums, Accumulate || o > 0);
                o += depth;
            }

            Exchange(first, last, sums, load: false);
        }

        // Between dx and the sums, which lie tile by tile: strip of inputs after strip, and in it panel of rows after panel.
        private readonly void Exchange(int first, int last, float* sums, bool load)
        {
            for (int i = 0; i < Rows; i += Width)
            {
                int rows = Math.Min(Width, Rows - i);
                float* dx = (float*)Dx + ((nint)i * Inputs);
                for (int row = i + Width; row < Math.Min(Rows, i + (2 * Width)); row++)
                {
                    // Short pieces of many rows: the hardware does not foresee them.
                    float* next = (float*)Dx + ((nint)row * Inputs);
                    for (int p = first; p < last; p += 16)
                    {
                        Prefetch.Nearest(next + p);
                    }
                }

                for (int p = first; p < last;)
                {
                    int height = GemmKernels.KernelRows(Level, last - p);
                    float* tile = sums + ((nint)(p - first) * RowPanels * Width) + (i * height);
                    if (load)
                    {
                        GemmPacking.Transpose(dx + p, Inputs, rows, height, tile, Width);
                    }
                    else
                    {
                        GemmPacking.Transpose(tile, Width, height, rows, dx + p, Inputs);
                    }

                    p += height;
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
                if (RowPanels > 2)
                {
                    // Used more than twice. The pieces of a strip lie whole pages apart and compete for the same few lines of the cache.
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
                    tile.C = sums;
                    GemmKernels.Tile(Level, height, Math.Min(Width, Rows - (panel * Width)), &tile);
                    tile.Ahead += share * Width;
                    sums += height * Width;
                }

                p += height;
            }
        }

        public readonly void ComputeFewRows(int part)
        {
            int first = InputOf(part);
            int count = InputOf(part + 1) - first;
            float* dx = (float*)Dx + first;
            for (int i = 0; !Accumulate && i < Rows; i++)
            {
                new Span<float>(dx + ((nint)i * Inputs), count).Clear();
            }

            for (int o = 0; o < Outputs; o += Width)
            {
                float* w = Panels + (((nint)o * Inputs) + ((nint)first * Width));
                nint jump = (nint)(Inputs - count) * Width; // from the end of this part's rows in a panel to its first one in the next
                int depth = Math.Min(Width, Outputs - o);
                float* dy = (float*)Dy + o;
                switch (Rows)
                {
                    case 1: Turn<GemmTile.H1>(w, count, depth, jump, dy, Outputs, dx, Inputs); break;
                    case 2: Turn<GemmTile.H2>(w, count, depth, jump, dy, Outputs, dx, Inputs); break;
                    case 3: Turn<GemmTile.H3>(w, count, depth, jump, dy, Outputs, dx, Inputs); break;
                    default: Turn<GemmTile.H4>(w, count, depth, jump, dy, Outputs, dx, Inputs); break;
                }
            }
        }
    }

    // dx[i, p] ← fma(dy[i, o], w[p·32 + o], dx[i, p]) for o ascending, p in steps of 8.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn<H>(float* w, int count, int depth, nint jump, float* dy, nint dyRow, float* dx, nint dxRow)
        where H : struct, GemmTile.IHeight
    {
        const int ahead = 32; // rows of 128 bytes
        int whole = count & ~7;
        int squares = depth & ~7;
        for (int p = 0; p < whole; p += 8)
        {
            float* next = w + (ahead * Width) + (p + ahead >= count ? jump : 0);
            for (int line = 0; line < 8 * Width; line += 16)
            {
                Prefetch.Nearest(next + line);
            }

            Vector256<float> s0 = Vector256.Load(dx + p);
            Vector256<float> s1 = H.Rows > 1 ? Vector256.Load(dx + dxRow + p) : default;
            Vector256<float> s2 = H.Rows > 2 ? Vector256.Load(dx + (2 * dxRow) + p) : default;
            Vector256<float> s3 = H.Rows > 3 ? Vector256.Load(dx + (3 * dxRow) + p) : default;
            for (int o = 0; o < squares; o += 4)
            {
                // Row r in the low half, row r + 4 in the high half; then two rounds of zipping turn 8 rows of 4 into 4 rows of 8.
                float* q = w + o;
                Vector256<float> r0 = Vector256.Create(Vector128.Load(q), Vector128.Load(q + (4 * Width)));
                Vector256<float> r1 = Vector256.Create(Vector128.Load(q + Width), Vector128.Load(q + (5 * Width)));
                Vector256<float> r2 = Vector256.Create(Vector128.Load(q + (2 * Width)), Vector128.Load(q + (6 * Width)));
                Vector256<float> r3 = Vector256.Create(Vector128.Load(q + (3 * Width)), Vector128.Load(q + (7 * Width)));
                Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble();
                Vector256<double> high01 = Avx.UnpackHigh(r0, r1).AsDouble();
                Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble();
                Vector256<double> high23 = Avx.UnpackHigh(r2, r3).AsDouble();
                Vector256<float> w0 = Avx.UnpackLow(low01, low23).AsSingle();
                Vector256<float> w1 = Avx.UnpackHigh(low01, low23).AsSingle();
                Vector256<float> w2 = Avx.UnpackLow(high01, high23).AsSingle();
                Vector256<float> w3 = Avx.UnpackHigh(high01, high23).AsSingle();
                float* y = dy + o;
                s0 = Add(s0, w0, w1, w2, w3, y);
                if (H.Rows > 1) { s1 = Add(s1, w0, w1, w2, w3, y + dyRow); }
                if (H.Rows > 2) { s2 = Add(s2, w0, w1, w2, w3, y + (2 * dyRow)); }
                if (H.Rows > 3) { s3 = Add(s3, w0, w1, w2, w3, y + (3 * dyRow)); }
            }

            s0.Store(dx + p);
            if (H.Rows > 1) { s1.Store(dx + dxRow + p); }
            if (H.Rows > 2) { s2.Store(dx + (2 * dxRow) + p); }
            if (H.Rows > 3) { s3.Store(dx + (3 * dxRow) + p); }
            w += 8 * Width;
        }

        // What is left of the outputs, and of the inputs.
        w -= (nint)whole * Width;
        for (int i = 0; i < H.Rows; i++)
        {
            for (int p = squares < depth ? 0 : whole; p < count; p++)
            {
                float sum = dx[(i * dxRow) + p];
                for (int o = p < whole ? squares : 0; o < depth; o++)
                {
                    sum = MathF.FusedMultiplyAdd(dy[(i * dyRow) + o], w[((nint)p * Width) + o], sum);
                }

                dx[(i * dxRow) + p] = sum;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Add(Vector256<float> sum, Vector256<float> w0, Vector256<float> w1, Vector256<float> w2, Vector256<float> w3, float* y)
    {
        sum = Vector256.FusedMultiplyAdd(Vector256.Create(y[0]), w0, sum);
        sum = Vector256.FusedMultiplyAdd(Vector256.Create(y[1]), w1, sum);
        sum = Vector256.FusedMultiplyAdd(Vector256.Create(y[2]), w2, sum);
        return Vector256.FusedMultiplyAdd(Vector256.Create(y[3]), w3, sum);
    }
}
