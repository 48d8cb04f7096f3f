using System.Runtime.CompilerServices;
using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>
/// Matrix products on a GPU: C (M, N) = A (M, K)·B (K, N), with B dense or a frozen weight in its stored format, which becomes
/// float32 only in shared memory.
/// </summary>
/// <remarks>
/// <para>
/// Every element is summed in one order, whatever kernel computes it: chains of fused multiply-adds over <see cref="Block"/>
/// numbers of k, s ← fma(a, b, s) from 0, and the chains added up in ascending order of k; then C, if it accumulates, and the
/// bias. So a row of C has the same bits alone as among a thousand. (The processor has one chain for all of k: its bits differ.)
/// </para>
/// <code>
///  many rows: a group for a tile of C, 64 × 64             few rows (up to 4): a group for 64 columns and 64 of k
///
///                B   │▒▒▒▒│  16 of k                               B   │▒▒▒▒│  64 of k into shared memory at once
///                    │    │  next slice                                │    │  another group
///                    └────┘                                            └────┘
///     A  ▒▒│       ┌──────┐                                 A ▒▒▒▒│    ┌────┐  one thread, one chain;
///        ▒▒│       │ ···· │ 256 threads, each has           1…4 rows   └────┘  chains to memory, and a second
///        ▒▒│       │ ···· │ 4 × 4 of C in registers:                           kernel adds them up in order
///       16 of k    └──────┘ rows ty + 16i, columns tx + 16j
/// </code>
/// <para>
/// A tile reads 64·16 numbers of A and of B for each 64·64·16 multiply-adds: 16 operations for a byte of global memory, and
/// 4 for a number of shared memory. Rows of a slice are 65 apart, so that threads that write down a column meet different banks.
/// Few rows read each weight once, and are as fast as memory is: splitting k gives enough groups to keep it busy.
/// </para>
/// </remarks>
internal static class GemmGpu
{
    /// <summary>Numbers of k in a chain.</summary>
    public const int Block = 64;

    /// <summary>Rows and columns of a tile.</summary>
    public const int Tile = 64;

    /// <summary>Numbers of k in shared memory at a time.</summary>
    public const int Depth = 16;

    /// <summary>From one k of a slice to the next.</summary>
    public const int Stride = Tile + 1;

    public const int Threads = 256;

    /// <summary>Up to this many rows, k is split among groups.</summary>
    public const int FewRows = 4;

    private static readonly GpuKernel<GemmArguments> AddChainsKernel = new(AddChains);

    /// <summary>C = A·B, both dense.</summary>
    public static void Multiply(GpuDevice gpu, in GemmArguments arguments) => Multiply<DenseOperand>(gpu, arguments);

    /// <summary>C = A·B with a B of some kind.</summary>
    public static void Multiply<TOperand>(GpuDevice gpu, GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        if (a.M == 0 || a.N == 0 || a.Batch == 0)
        {
            return;
        }

        int columns = (a.N + Tile - 1) / Tile;
        if (a.M > FewRows || a.Batch > 1 || a.K <= Block)
        {
            Kernels<TOperand>.Tiles.Launch(gpu, new Index3D(columns, (a.M + Tile - 1) / Tile, a.Batch), new Index3D(Threads, 1, 1), a);
            return;
        }

        int blocks = (a.K + Block - 1) / Block;
        lock (gpu.Gate)
        {
            // Nobody else asks for this memory between the two kernels.
            a.Chains = gpu.Scratch(sizeof(float) * (long)blocks * a.M * a.N);
            Kernels<TOperand>.Chains.Launch(gpu, new Index3D(columns, blocks, 1), new Index3D(Threads, 1, 1), a);
            AddChainsKernel.Launch(gpu, new Index3D((a.N + Threads - 1) / Threads, a.M, 1), new Index3D(Threads, 1, 1), a);
        }
    }

    internal static void Tiles<TOperand>(GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        ArrayView<float> left = SharedMemory.Allocate1D<float>(Depth * Stride);
        ArrayView<float> right = SharedMemory.Allocate1D<float>(Depth * Stride);
        int thread = Group.IdxX;
        int tx = thread & 15;
        int ty = thread >> 4;
        int column = Grid.IdxX * Tile;
        int row = Grid.IdxY * Tile;
        int batch = Grid.IdxZ;
        float t00 = 0, t01 = 0, t02 = 0, t03 = 0, t10 = 0, t11 = 0, t12 = 0, t13 = 0;
        float t20 = 0, t21 = 0, t22 = 0, t23 = 0, t30 = 0, t31 = 0, t32 = 0, t33 = 0;
        float s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
        float s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
        for (int depth = 0; depth < a.K; depth += Depth)
        {
            DenseOperand.Load(a.A, batch * a.BatchA, a.RowA, a.DepthA, a.M, a.K, row, depth, left, 0, thread);
            TOperand.Load(a, batch, depth, column, right, 0, thread);
            Group.Barrier();
            for (int p = 0; p < Depth; p++)
            {
                int i = (p * Stride) + ty;
                int j = (p * Stride) + tx;
                float a0 = left[i], a1 = left[i + 16], a2 = left[i + 32], a3 = left[i + 48];
                float b0 = right[j], b1 = right[j + 16], b2 = right[j + 32], b3 = right[j + 48];
                s00 = GpuMath.Fma(a0, b0, s00);
                s01 = GpuMath.Fma(a0, b1, s01);
                s02 = GpuMath.Fma(a0, b2, s02);
                s03 = GpuMath.Fma(a0, b3, s03);
                s10 = GpuMath.Fma(a1, b0, s10);
                s11 = GpuMath.Fma(a1, b1, s11);
                s12 = GpuMath.Fma(a1, b2, s12);
                s13 = GpuMath.Fma(a1, b3, s13);
                s20 = GpuMath.Fma(a2, b0, s20);
                s21 = GpuMath.Fma(a2, b1, s21);
                s22 = GpuMath.Fma(a2, b2, s22);
                s23 = GpuMath.Fma(a2, b3, s23);
                s30 = GpuMath.Fma(a3, b0, s30);
                s31 = GpuMath.Fma(a3, b1, s31);
                s32 = GpuMath.Fma(a3, b2, s32);
                s33 = GpuMath.Fma(a3, b3, s33);
            }

            // A chain ends; or k does.
            if ((depth & (Block - 1)) == Block - Depth || depth + Depth >= a.K)
            {
                t00 += s00; t01 += s01; t02 += s02; t03 += s03;
                t10 += s10; t11 += s11; t12 += s12; t13 += s13;
                t20 += s20; t21 += s21; t22 += s22; t23 += s23;
                t30 += s30; t31 += s31; t32 += s32; t33 += s33;
                s00 = 0; s01 = 0; s02 = 0; s03 = 0;
                s10 = 0; s11 = 0; s12 = 0; s13 = 0;
                s20 = 0; s21 = 0; s22 = 0; s23 = 0;
                s30 = 0; s31 = 0; s32 = 0; s33 = 0;
            }

            Group.Barrier();
        }

        row += ty;
        column += tx;
        Store(a, batch, row, column, t00);
        Store(a, batch, row, column + 16, t01);
        Store(a, batch, row, column + 32, t02);
        Store(a, batch, row, column + 48, t03);
        Store(a, batch, row + 16, column, t10);
        Store(a, batch, row + 16, column + 16, t11);
        Store(a, batch, row + 16, column + 32, t12);
        Store(a, batch, row + 16, column + 48, t13);
        Store(a, batch, row + 32, column, t20);
        Store(a, batch, row + 32, column + 16, t21);
        Store(a, batch, row + 32, column + 32, t22);
        Store(a, batch, row + 32, column + 48, t23);
        Store(a, batch, row + 48, column, t30);
        Store(a, batch, row + 48, column + 16, t31);
        Store(a, batch, row + 48, column + 32, t32);
        Store(a, batch, row + 48, column + 48, t33);
    }

    internal static void Chains<TOperand>(GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        ArrayView<float> left = SharedMemory.Allocate1D<float>(FewRows * Block);
        ArrayView<float> right = SharedMemory.Allocate1D<float>(Block * Stride);
        int thread = Group.IdxX;
        int column = Grid.IdxX * Tile;
        int depth = Grid.IdxY * Block;
        int row = thread >> 6;
        int lane = thread & (Tile - 1);
        left[thread] = row < a.M && depth + lane < a.K ? a.A[(row * a.RowA) + ((depth + lane) * a.DepthA)] : 0;
        for (int slice = 0; slice < Block; slice += Depth)
        {
            TOperand.Load(a, 0, depth + slice, column, right, slice * Stride, thread);
        }

        Group.Barrier();
        if (row < a.M && column + lane < a.N)
        {
            float sum = 0;
            for (int p = 0; p < Block; p++)
            {
                sum = GpuMath.Fma(left[(row * Block) + p], right[(p * Stride) + lane], sum);
            }

            a.Chains[(((Grid.IdxY * a.M) + row) * a.N) + column + lane] = sum;
        }
    }

    internal static void AddChains(GemmArguments a)
    {
        int column = (Grid.IdxX * Threads) + Group.IdxX;
        int row = Grid.IdxY;
        if (column < a.N)
        {
            float total = 0;
            int from = (row * a.N) + column;
            for (int depth = 0; depth < a.K; depth += Block)
            {
                total += a.Chains[from];
                from += a.M * a.N;
            }

            Store(a, 0, row, column, total);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(GemmArguments a, int batch, int row, int column, float value)
    {
        if (row < a.M && column < a.N)
        {
            int at = (batch * a.BatchC) + (row * a.N) + column;
            if (a.HasBias != 0)
            {
                value += a.Bias[column];
            }

            if (a.Accumulate != 0)
            {
                value += a.C[at];
            }

            a.C[at] = value;
        }
    }

    /// <summary>The kernels for one kind of B.</summary>
    internal static class Kernels<TOperand>
        where TOperand : struct, IGemmOperand
    {
        public static readonly GpuKernel<GemmArguments> Tiles = new(Tiles<TOperand>);
        public static readonly GpuKernel<GemmArguments> Chains = new(Chains<TOperand>);
    }
}

/// <summary>Where a product on a GPU takes B from.</summary>
internal interface IGemmOperand
{
    /// <summary>
    /// All 256 threads together put <see cref="GemmGpu.Depth"/> of k and 64 columns into shared memory, (p, j) at
    /// offset + p·<see cref="GemmGpu.Stride"/> + j; what lies beyond K or N becomes 0.
    /// </summary>
    static abstract void Load(GemmArguments a, int batch, int depth, int column, ArrayView<float> slice, int offset, int thread);
}

/// <summary>Dense numbers, any two distances apart.</summary>
internal readonly struct DenseOperand : IGemmOperand
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(GemmArguments a, int batch, int depth, int column, ArrayView<float> slice, int offset, int thread) =>
        Load(a.B, batch * a.BatchB, a.ColumnB, a.DepthB, a.N, a.K, column, depth, slice, offset, thread);

    /// <summary>Neighbouring threads read neighbouring numbers, be it along k or across.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(
        ArrayView<float> source, int start, int lineStride, int depthStride, int lines, int depths, int line, int depth, ArrayView<float> slice, int offset, int thread)
    {
        if (depthStride == 1)
        {
            int p = thread & 15;
            for (int j = thread >> 4; j < GemmGpu.Tile; j += 16)
            {
                bool inside = line + j < lines && depth + p < depths;
                slice[offset + (p * GemmGpu.Stride) + j] = inside ? source[start + ((line + j) * lineStride) + depth + p] : 0;
            }
        }
        else
        {
            int j = thread & 63;
            for (int p = thread >> 6; p < GemmGpu.Depth; p += 4)
            {
                bool inside = line + j < lines && depth + p < depths;
                slice[offset + (p * GemmGpu.Stride) + j] = inside ? source[start + ((line + j) * lineStride) + ((depth + p) * depthStride)] : 0;
            }
        }
    }
}

/// <summary>Of <see cref="GemmGpu"/>: C[i, j] = Σ_p A[i·RowA + p·DepthA]·B[p·DepthB + j·ColumnB], plus C and bias.</summary>
internal struct GemmArguments
{
    public ArrayView<float> A;
    public ArrayView<float> B;
    public ArrayView<float> C;
    public ArrayView<float> Bias;
    public ArrayView<float> Chains;
    public FrozenView Weight;
    public int M;
    public int N;
    public int K;
    public int RowA;
    public int DepthA;
    public int DepthB;
    public int ColumnB;
    public int Batch;
    public int BatchA;
    public int BatchB;
    public int BatchC;
    public int Accumulate;
    public int HasBias;

    /// <summary>A (M, K) and B (K, N), stored row by row, or their transposes.</summary>
    public GemmArguments(int m, int n, int k, ArrayView<float> a, bool transposeA, ArrayView<float> b, bool transposeB, ArrayView<float> c, bool accumulate)
    {
        this = default;
        (M, N, K, A, B, C, Batch) = (m, n, k, a, b, c, 1);
        (RowA, DepthA) = transposeA ? (1, m) : (k, 1);
        (DepthB, ColumnB) = transposeB ? (1, k) : (n, 1);
        (BatchA, BatchB, BatchC) = (m * k, k * n, m * n);
        Accumulate = accumulate ? 1 : 0;
    }
}
