using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>
/// Products of many rows with a frozen weight on tensor cores, y = x·Wᵀ and dx = dy·W: the rows are rounded to the weight's 16-bit
/// format, and codes of blocks with their scales to float16, which is what makes this an option
/// (<see cref="DeviceOptions.TensorCores"/>); sums are float32.
/// </summary>
/// <remarks>
/// <para>
/// First a kernel rounds the rows, once for all columns. It scales each by a power of two, which changes no digit, so that its
/// largest number lies in [2¹⁴, 2¹⁵): large activations do not become infinite in float16, and small gradients do not vanish. What
/// is smaller than 2⁻²⁸ of the row's largest loses digits; the sum is scaled back at the end. Then tiles:
/// </para>
/// <code>
///                   B  │▒▒▒▒▒▒▒▒│  32 of k, two in a word, as 16-bit panels of W have them
///                      │        │
///     A  ▒▒│  64 rows  ┌────────┐  8 warps, each 32 × 32 of C: 2 × 4 sums of 16 × 8, see TensorCore
///        ▒▒│           │ ··│··  │
///      32 of k         └────────┘  128 columns
/// </code>
/// <para>
/// While the warps multiply one slice, each thread holds its part of the next in registers; shared memory has room for both, so
/// one barrier a slice will do. A tile reads (64 + 128)·32 numbers of two bytes for 64·128·32 multiply-adds: 43 operations for a
/// byte of global memory, where tiles of float32 have at most 32. Rows in shared memory are 20 words apart and pairs of k 136, so
/// that the 32 words a warp takes for a fragment lie in 32 banks.
/// </para>
/// <para>
/// Every element is summed in one order for any number of rows that comes here; fewer than <see cref="LeastRows"/> rows, float32
/// weights and odd inputs take <see cref="GemmGpu"/>, whose bits are others.
/// </para>
/// </remarks>
internal static class TensorCoreGemm
{
    /// <summary>With fewer rows most of a tile would be empty, and reading W takes the time.</summary>
    public const int LeastRows = 16;

    /// <summary>Rows and columns of a tile, and pairs of k of a slice.</summary>
    private const int Rows = 64, Columns = 128, Pairs = 16;

    /// <summary>Words from one row of A to the next, and from one pair of k of B to the next.</summary>
    private const int RowStride = Pairs + 4, PairStride = Columns + 8;

    private const int LeftWords = Rows * RowStride, RightWords = Pairs * PairStride;
    private const int Threads = 256, WarpsAcross = 4, WarpRows = 32, WarpColumns = 32;

    // The exponent of a row's largest number after scaling, and float32's exponents.
    private const int LargestExponent = 14, Bias = 127, SpecialExponent = 255, MantissaBits = 23;

    /// <summary>Whether a product comes here: the device's option, many rows, and a weight in words (not float32), whose inputs come in pairs.</summary>
    public static bool Takes(GpuDevice gpu, in GemmArguments product) =>
        gpu.TensorCores && product.M >= LeastRows && product.Weight.Bits > 0 && product.Weight.Inputs % 2 == 0;

    /// <summary>C = A·B of rows of A with a frozen B.</summary>
    public static void Multiply(GpuDevice gpu, in GemmArguments product)
    {
        FrozenView w = product.Weight;
        if (w.IsBFloat != 0)
        {
            Multiply(gpu, product, Kernels<BFloatNumbers>.Round, w.Turned != 0 ? Kernels<BFloatNumbers>.TilesTurned : Kernels<BFloatNumbers>.Tiles);
        }
        else if (w.GroupLength == 0)
        {
            Multiply(gpu, product, Kernels<HalfNumbers>.Round, w.Turned != 0 ? Kernels<HalfNumbers>.TilesTurned : Kernels<HalfNumbers>.Tiles);
        }
        else
        {
            Multiply(gpu, product, Kernels<HalfNumbers>.Round, w.Turned != 0 ? BlockKernels.TilesTurned : BlockKernels.Tiles);
        }
    }

    private static void Multiply(GpuDevice gpu, in GemmArguments product, GpuKernel<TensorCoreArguments> round, GpuKernel<TensorCoreArguments> tile)
    {
        int tiles = (product.M + Rows - 1) / Rows;
        int slices = (((product.K + 1) / 2) + Pairs - 1) / Pairs;
        int words = tiles * Rows * slices * Pairs; // rows up to a whole tile are read, but what they give is not kept
        TensorCoreArguments a = new() { Product = product, Slices = slices };
        lock (gpu.Gate)
        {
            // Nobody else asks for this memory between the two kernels.
            ArrayView<float> scratch = gpu.Scratch(sizeof(float) * ((long)words + product.M));
            a.Words = scratch.SubView(0, words).Cast<FourWords>();
            a.Scales = scratch.SubView(words, product.M);
            round.Launch(gpu, product.M, Threads, a);
            tile.Launch(gpu, new Index3D((product.N + Columns - 1) / Columns, tiles, 1), new Index3D(Threads, 1, 1), a);
        }
    }

    /// <summary>A group a row of A: its largest number, its scale, its words.</summary>
    [TensorCoreKernel]
    internal static void RoundRow<TNumbers>(TensorCoreArguments a)
        where TNumbers : struct, ITensorNumbers
    {
        ArrayView<float> shared = SharedMemory.Allocate1D<float>(GpuReduce.GroupSize);
        int row = Grid.IdxX;
        int k = a.Product.K;
        ArrayView<float> x = a.Product.A.SubView((long)row * k, k);
        float largest = 0;
        for (int i = Group.IdxX; i < k; i += Threads)
        {
            float size = IntrinsicMath.Abs(x[i]);
            largest = size > largest ? size : largest; // what is not a number has no size, and stays what it is
        }

        // A row with infinities keeps them as it is. Neither the scale nor its inverse is subnormal.
        int exponent = (int)(Interop.FloatAsInt(GpuReduce.Max(largest, shared)) >> MantissaBits) & SpecialExponent;
        int power = exponent == SpecialExponent ? Bias : IntrinsicMath.Min(2 * Bias - 1, (2 * Bias) + LargestExponent - exponent);
        float scale = Interop.IntAsFloat((uint)power << MantissaBits);
        ArrayView<FourWords> words = a.Words.SubView((long)row * a.Slices * (Pairs / 4), a.Slices * (Pairs / 4));
        for (int i = Group.IdxX; i < words.IntLength; i += Threads)
        {
            int at = 8 * i;
            words[i] = new FourWords
            {
                X = TNumbers.Two(Scaled(x, at, k, scale), Scaled(x, at + 1, k, scale)),
                Y = TNumbers.Two(Scaled(x, at + 2, k, scale), Scaled(x, at + 3, k, scale)),
                Z = TNumbers.Two(Scaled(x, at + 4, k, scale), Scaled(x, at + 5, k, scale)),
                W = TNumbers.Two(Scaled(x, at + 6, k, scale), Scaled(x, at + 7, k, scale)),
            };
        }

        if (Group.IdxX == 0)
        {
            a.Scales[row] = Interop.IntAsFloat((uint)((2 * Bias) - power) << MantissaBits);
        }
    }

    [TensorCoreKernel]
    internal static void Tiles<TNumbers, TSide, TPairs>(TensorCoreArguments a)
        where TNumbers : struct, ITensorNumbers
        where TSide : struct, ITensorSide
        where TPairs : struct, ITensorPairs
    {
        ArrayView<FourWords> leftFours = SharedMemory.Allocate<FourWords>(2 * LeftWords / 4).AsAligned16();
        ArrayView<FourWords> rightFours = SharedMemory.Allocate<FourWords>(2 * RightWords / 4).AsAligned16();
        ArrayView<uint> left = leftFours.Cast<uint>(), right = rightFours.Cast<uint>();
        int thread = Group.IdxX;
        int row = Grid.IdxY * Rows;
        int column = Grid.IdxX * Columns;

        // This thread's part of a slice of A, four words of a row, and where this warp and thread take fragments.
        int ownRow = thread >> 2, ownWords = thread & 3;
        int ownLeft = (ownRow * (RowStride / 4)) + ownWords;
        long source = ((long)(row + ownRow) * a.Slices * (Pairs / 4)) + ownWords;
        int lane = thread & (TensorCore.Warp - 1), warp = thread / TensorCore.Warp;
        int warpRow = warp / WarpsAcross * WarpRows, warpColumn = warp % WarpsAcross * WarpColumns;
        int atLeft = ((warpRow + (lane >> 2)) * RowStride) + (lane & 3);
        int atRight = ((lane & 3) * PairStride) + warpColumn + (lane >> 2);

        SumFragment c00 = default, c01 = default, c02 = default, c03 = default;
        SumFragment c10 = default, c11 = default, c12 = default, c13 = default;
        leftFours[ownLeft] = a.Words[source];
        TSide.Put(rightFours, 0, thread, TSide.Fetch<TPairs>(a.Product.Weight, 0, column, thread, 0), TSide.Fetch<TPairs>(a.Product.Weight, 0, column, thread, 1));
        Group.Barrier();
        for (int slice = 0; slice < a.Slices; slice++)
        {
            int next = IntrinsicMath.Min(slice + 1, a.Slices - 1); // after the last, it once more: nobody takes it
            FourWords nextLeft = a.Words[source + (next * (Pairs / 4))];
            FourWords nextRight = TSide.Fetch<TPairs>(a.Product.Weight, next * Pairs, column, thread, 0);
            FourWords nextRightToo = TSide.Fetch<TPairs>(a.Product.Weight, next * Pairs, column, thread, 1);

            int now = slice & 1;
            for (int p = 0; p < Pairs; p += TensorCore.Depth / 2)
            {
                int i = (now * LeftWords) + atLeft + p;
                int j = (now * RightWords) + atRight + (p * PairStride);
                LeftFragment a0 = Left(left, i), a1 = Left(left, i + (TensorCore.Rows * RowStride));
                RightFragment b0 = Right(right, j), b1 = Right(right, j + TensorCore.Columns);
                RightFragment b2 = Right(right, j + (2 * TensorCore.Columns)), b3 = Right(right, j + (3 * TensorCore.Columns));
                c00 = TNumbers.MultiplyAdd(a0, b0, c00);
                c01 = TNumbers.MultiplyAdd(a0, b1, c01);
                c02 = TNumbers.MultiplyAdd(a0, b2, c02);
                c03 = TNumbers.MultiplyAdd(a0, b3, c03);
                c10 = TNumbers.MultiplyAdd(a1, b0, c10);
                c11 = TNumbers.MultiplyAdd(a1, b1, c11);
                c12 = TNumbers.MultiplyAdd(a1, b2, c12);
                c13 = TNumbers.MultiplyAdd(a1, b3, c13);
            }

            // The other half of shared memory: all threads have left it at the barrier before.
            leftFours[((1 - now) * (LeftWords / 4)) + ownLeft] = nextLeft;
            TSide.Put(rightFours, (1 - now) * RightWords, thread, nextRight, nextRightToo);
            Group.Barrier();
        }

        row += warpRow + (lane >> 2);
        column += warpColumn + (2 * (lane & 3));
        Store(a, row, column, c00);
        Store(a, row, column + TensorCore.Columns, c01);
        Store(a, row, column + (2 * TensorCore.Columns), c02);
        Store(a, row, column + (3 * TensorCore.Columns), c03);
        Store(a, row + TensorCore.Rows, column, c10);
        Store(a, row + TensorCore.Rows, column + TensorCore.Columns, c11);
        Store(a, row + TensorCore.Rows, column + (2 * TensorCore.Columns), c12);
        Store(a, row + TensorCore.Rows, column + (3 * TensorCore.Columns), c13);
    }

    // Rows g and g + 8, pairs t and t + 4.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static LeftFragment Left(ArrayView<uint> shared, int at) => new()
    {
        X = shared[at],
        Y = shared[at + (8 * RowStride)],
        Z = shared[at + 4],
        W = shared[at + (8 * RowStride) + 4],
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static RightFragment Right(ArrayView<uint> shared, int at) => new() { X = shared[at], Y = shared[at + (4 * PairStride)] };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Scaled(ArrayView<float> x, int i, int length, float scale) => i < length ? x[i] * scale : 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TensorCoreArguments a, int row, int column, SumFragment sums)
    {
        Store(a, row, column, sums.X, sums.Y);
        Store(a, row + 8, column, sums.Z, sums.W);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TensorCoreArguments a, int row, int column, float first, float second)
    {
        if (row < a.Product.M)
        {
            float scale = a.Scales[row];
            Store(a.Product, row, column, first * scale);
            Store(a.Product, row, column + 1, second * scale);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(GemmArguments a, int row, int column, float value)
    {
        if (column < a.N)
        {
            int at = (row * a.N) + column;
            value += a.HasBias != 0 ? a.Bias[column] : 0;
            a.C[at] = a.Accumulate != 0 ? a.C[at] + value : value;
        }
    }

    /// <summary>The kernels for one 16-bit format.</summary>
    internal static class Kernels<TNumbers>
        where TNumbers : struct, ITensorNumbers
    {
        public static readonly GpuKernel<TensorCoreArguments> Round = new(RoundRow<TNumbers>);
        public static readonly GpuKernel<TensorCoreArguments> Tiles = new(Tiles<TNumbers, UprightSide, PlainPairs>);
        public static readonly GpuKernel<TensorCoreArguments> TilesTurned = new(Tiles<TNumbers, TurnedSide, PlainPairs>);
    }

    /// <summary>The kernels for formats of blocks.</summary>
    internal static class BlockKernels
    {
        public static readonly GpuKernel<TensorCoreArguments> Tiles = new(Tiles<HalfNumbers, UprightSide, BlockPairs>);
        public static readonly GpuKernel<TensorCoreArguments> TilesTurned = new(Tiles<HalfNumbers, TurnedSide, BlockPairs>);
    }

    /// <summary>y = x·Wᵀ: k are inputs, which lie in pairs; a thread takes a pair of four neighbouring outputs, and another 8 pairs on.</summary>
    internal readonly struct UprightSide : ITensorSide
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static FourWords Fetch<TPairs>(FrozenView w, int pair, int column, int thread, int part)
            where TPairs : struct, ITensorPairs
        {
            pair += (thread >> 5) + (8 * part);
            column += 4 * (thread & 31);

            // Outputs fill their last panel up with something, which goes to columns that are not kept.
            return 2 * pair < w.Inputs && column < w.Outputs ? TPairs.OfFourOutputs(w, column, pair) : default;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put(ArrayView<FourWords> right, int offset, int thread, FourWords words, FourWords wordsToo)
        {
            int at = (offset / 4) + ((thread >> 5) * (PairStride / 4)) + (thread & 31);
            right[at] = words;
            right[at + (8 * PairStride / 4)] = wordsToo;
        }
    }

    /// <summary>
    /// dx = dy·W: k are outputs, and the words, which have two inputs each, become words of two outputs. A thread takes four outputs
    /// of a pair of columns, and those 16 outputs on; eight pairs of a warp are neighbours, so that it meets each bank twice.
    /// <code>
    ///   outputs o … o + 3 of inputs (i, i + 1):    (a A) (b B) (c C) (d D)   →   column i: (a b) (c d)   column i + 1: (A B) (C D)
    /// </code>
    /// </summary>
    internal readonly struct TurnedSide : ITensorSide
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static FourWords Fetch<TPairs>(FrozenView w, int pair, int column, int thread, int part)
            where TPairs : struct, ITensorPairs
        {
            int output = (2 * pair) + (4 * ((thread >> 3) & 3)) + (16 * part);
            int input = column + (2 * ((thread & 7) + (8 * (thread >> 5))));
            if (output >= w.Outputs || input >= w.Inputs)
            {
                return default;
            }

            // Outputs end within a panel: what fills it up must not be multiplied, since it need not be finite.
            FourWords words = TPairs.OfFourOutputs(w, output, input / 2);
            uint b = output + 1 < w.Outputs ? words.Y : 0;
            uint c = output + 2 < w.Outputs ? words.Z : 0;
            uint d = output + 3 < w.Outputs ? words.W : 0;
            return new FourWords
            {
                X = (words.X & 0xFFFF) | (b << 16),
                Y = (words.X >> 16) | (b & 0xFFFF0000),
                Z = (c & 0xFFFF) | (d << 16),
                W = (c >> 16) | (d & 0xFFFF0000),
            };
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put(ArrayView<FourWords> right, int offset, int thread, FourWords words, FourWords wordsToo)
        {
            ArrayView<TwoWords> twos = right.Cast<TwoWords>();
            int at = (offset / 2) + (((thread >> 3) & 3) * PairStride) + (thread & 7) + (8 * (thread >> 5));
            twos[at] = new TwoWords { X = words.X, Y = words.Y };
            twos[at + (PairStride / 2)] = new TwoWords { X = words.Z, Y = words.W };
            twos[at + (8 * PairStride / 2)] = new TwoWords { X = wordsToo.X, Y = wordsToo.Y };
            twos[at + (9 * PairStride / 2)] = new TwoWords { X = wordsToo.Z, Y = wordsToo.W };
        }
    }
}

/// <summary>How a slice of a frozen weight comes into shared memory: pair p of k of column j at p·136 + j.</summary>
internal interface ITensorSide
{
    /// <summary>The first or second four words of a thread, of the slice whose first pair of k is <paramref name="pair"/>; 0 beyond the weight.</summary>
    static abstract FourWords Fetch<TPairs>(FrozenView w, int pair, int column, int thread, int part)
        where TPairs : struct, ITensorPairs;

    /// <summary>Puts both fours in place.</summary>
    static abstract void Put(ArrayView<FourWords> right, int offset, int thread, FourWords words, FourWords wordsToo);
}

/// <summary>Where the two neighbouring inputs of a word come from.</summary>
internal interface ITensorPairs
{
    /// <summary>Inputs 2·pair and the next, of four neighbouring outputs; the first output is a multiple of four.</summary>
    static abstract FourWords OfFourOutputs(FrozenView w, int output, int pair);
}

/// <summary>16-bit formats: the words as they are stored, 64 outputs side by side.</summary>
internal readonly struct PlainPairs : ITensorPairs
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourWords OfFourOutputs(FrozenView w, int output, int pair)
    {
        const int Lanes = FrozenWordPanels.Lanes;
        ArrayView<FourWords> panel = w.Words.SubView(output / Lanes * (long)w.Panel, w.Panel).AsAligned16().Cast<FourWords>();
        return panel[((pair * Lanes) + (output % Lanes)) / 4];
    }
}

/// <summary>Formats of blocks: codes of 4 or 8 bits and scales, decoded and rounded to float16.</summary>
internal readonly struct BlockPairs : ITensorPairs
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourWords OfFourOutputs(FrozenView w, int output, int pair) => new()
    {
        X = OfOutput(w, output, pair),
        Y = OfOutput(w, output + 1, pair),
        Z = OfOutput(w, output + 2, pair),
        W = OfOutput(w, output + 3, pair),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint OfOutput(FrozenView w, int output, int pair) =>
        TensorCore.TwoHalves(WordPanel.Value(w, output, 2 * pair), WordPanel.Value(w, output, (2 * pair) + 1));
}

/// <summary>What a thread moves at once.</summary>
internal struct FourWords
{
    public uint X, Y, Z, W;
}

/// <inheritdoc cref="FourWords"/>
internal struct TwoWords
{
    public uint X, Y;
}

/// <summary>Of <see cref="TensorCoreGemm"/>.</summary>
internal struct TensorCoreArguments
{
    public GemmArguments Product;
    public ArrayView<FourWords> Words;
    public ArrayView<float> Scales;
    public int Slices;
}
