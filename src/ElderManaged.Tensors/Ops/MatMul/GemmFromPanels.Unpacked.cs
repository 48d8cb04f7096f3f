namespace ElderManaged.Tensors;

// dx = dy·W from a weight in a stored format, for rows that are not so many: unpacked block by block into panels as they lie. To turn the
// blocks, which makes dx an ordinary product, takes about as long as six rows of it; to turn dy, about as long as twenty inputs.
//
//   outputs 384 at a time:   dy, turned ┐   sums of all inputs of the part, [inputs, 32 rows]…, wait in the second-level cache
//     inputs 256 at a time:    block ───┴→  block by block: each is unpacked once, 384 KB beside dy and the sums
internal static unsafe partial class GemmFromPanels
{
    /// <summary>
    /// Whether it pays for so many rows of dy. Above, the sums would need too much of the cache, and turning the weight is little beside the
    /// product; below, the product reads the turned weight in longer pieces.
    /// </summary>
    public static bool PaysUnpacked(int rows) => rows is > 16 and <= 128;

    private const int BlockInputs = 256;

    [ThreadStatic]
    private static AlignedBuffer? t_block;

    /// <summary>A weight that is unpacked.</summary>
    internal interface IUnpacked
    {
        /// <summary>Puts W of some outputs, whole panels of 32, and some inputs into <paramref name="block"/>: panel by panel, a row of 32 floats for each input.</summary>
        void Unpack(SimdLevel level, int firstOutput, int outputs, int firstInput, int inputs, float* block);

        /// <summary>Where that comes from, to be fetched before.</summary>
        GemmBlocks.WantedNext Source(int firstOutput, int outputs, int firstInput, int inputs);
    }

    /// <summary>dx (rows, inputs) ← dy (rows, outputs)·W (+ dx), for more than <see cref="WideSums.MaxRows"/> rows.</summary>
    public static void Multiply<S>(S weight, int outputs, int inputs, float* dy, int rows, float* dx, bool accumulate)
        where S : IUnpacked
    {
        Product product = new()
        {
            Level = Simd.Level, Inputs = inputs, Outputs = outputs, Rows = rows, Dy = (nint)dy, Dx = (nint)dx, Accumulate = accumulate,
        };
        product.DivideUnpacked(ThreadsFor(outputs, inputs, rows));
        CpuThreads.Run(product.Parts, (product, weight), static (s, part) => s.product.ComputeUnpacked(s.weight, part));
    }

    private partial struct Product
    {
        private readonly int InputPieces => (Inputs + Width - 1) / Width;

        public void DivideUnpacked(int threads)
        {
            int most = MaxSums / (RowPanels * Width * Width); // pieces of 32 inputs, whole groups of every format
            int parts = Math.Max((InputPieces + most - 1) / most, threads > 1 ? Math.Min(PartsPerThread * threads, Inputs / WorthTurning) : 1);
            Parts = Math.Min(InputPieces, (parts + threads - 1) / threads * threads);
        }

        public readonly void ComputeUnpacked<S>(S weight, int part)
            where S : IUnpacked
        {
            int first = (int)((long)part * InputPieces / Parts) * Width;
            int last = Math.Min(Inputs, (int)((part + 1L) * InputPieces / Parts) * Width);
            nint sumsOfInput = (nint)RowPanels * Width;
            float* sums = AlignedBuffer.Rent(ref t_sums, (last - first) * sumsOfInput);
            float* packed = AlignedBuffer.Rent(ref t_packed, sumsOfInput * PiecesPerSlice * Width);
            float* block = AlignedBuffer.Rent(ref t_block, (long)PiecesPerSlice * Width * BlockInputs);
            for (int i = first; Accumulate && i < last; i += BlockInputs)
            {
                Exchange(i, Math.Min(last, i + BlockInputs), sums + ((i - first) * sumsOfInput), load: true);
            }

            for (int o = 0, depth; o < Outputs; o += depth)
            {
                depth = SliceAt(o);
                Turn(o, depth, packed);
                for (int i = first, count; i < last; i += count)
                {
                    count = Math.Min(BlockInputs, last - i);
                    weight.Unpack(Level, o, depth, i, count, block);
                    Product slice = this;
                    slice.Panels = block;
                    slice.PanelStride = (nint)count * Width;

                    // Meanwhile the next block's words come from memory.
                    int nextInput = i + count < last ? i + count : first;
                    int nextOutput = nextInput > first ? o : o + depth < Outputs ? o + depth : 0;
                    GemmBlocks.WantedNext next = weight.Source(nextOutput, SliceAt(nextOutput), nextInput, Math.Min(BlockInputs, last - nextInput));
                    slice.AddSlice(0, count, 0, depth, packed, sums + ((i - first) * sumsOfInput), Accumulate || o > 0, next);
                }
            }

            for (int i = first; i < last; i += BlockInputs)
            {
                Exchange(i, Math.Min(last, i + BlockInputs), sums + ((i - first) * sumsOfInput), load: false);
            }
        }
    }
}
