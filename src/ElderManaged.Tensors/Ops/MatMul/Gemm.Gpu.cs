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
/// numbers of k, s ← fma(a, b, s) from 0, and the chains added up in ascending order of k; then the bias, and C, if it
/// accumulates. So a row of C has the same bits alone as among a thousand, and the size of a tile, which may be found by
/// measuring (<see cref="GemmTuning"/>), changes nothing but the time. (The processor has one chain for all of k: its bits differ.)
/// </para>
/// <code>
///  many rows: a group for a tile of C (GemmTiles)           few rows (up to 4): a group for 64 columns and 64 of k
///
///                B   │▒▒▒▒│  8 or 16 of k                         B   │▒▒▒▒│  64 of k into shared memory at once
///                    │    │  next slice                                │    │  another group
///                    └────┘                                            └────┘
///     A  ▒▒│       ┌──────┐                                 A ▒▒▒▒│    ┌────┐  one thread, one chain;
///        ▒▒│       │ ···· │ a thread has 4 × 4, 8 × 4       1…4 rows   └────┘  chains to memory, and a second
///        ▒▒│       │ ···· │ or 8 × 8 of C in registers                         kernel adds them up in order
///                  └──────┘ (GemmSums)                                         (GemmFewRows)
/// </code>
/// <para>
/// A tile of R × C reads R + C numbers for R·C multiply-adds of each k: R·C / (2·(R + C)) operations for a byte of global
/// memory in float32, 6 to 32 with the sizes of <see cref="GemmTileSize"/>, and more where B is stored in fewer bits. A thread
/// with r × c reads r + c numbers of shared memory for r·c multiply-adds: 1 operation for a byte with 4 × 4, 1.33 with 8 × 4,
/// 2 with 8 × 8. Few rows read each weight once, and are as fast as memory is: splitting k gives enough groups to keep it busy.
/// </para>
/// </remarks>
internal static class GemmGpu
{
    /// <summary>Numbers of k in a chain.</summary>
    public const int Block = 64;

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

        a.MarkFours();
        if (a.M <= GemmFewRows.Most && a.Batch == 1 && a.K > Block)
        {
            GemmFewRows.Multiply<TOperand>(gpu, a);
        }
        else
        {
            Launch<TOperand>(gpu, GemmTuning.SizeFor<TOperand>(gpu, a), a);
        }
    }

    /// <summary>C = A·B with tiles of a certain size, a place in <see cref="GemmTileSize.All"/>.</summary>
    public static void Launch<TOperand>(GpuDevice gpu, int size, in GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        GemmTileSize tile = GemmTileSize.All[size];
        Kernels<TOperand>.Tiles[size].Launch(gpu, new Index3D(tile.GroupsAcross(a.N), tile.GroupsDown(a.M), a.Batch), new Index3D(tile.Threads, 1, 1), a);
    }

    /// <summary>Sets one element of C, if it exists, adding what bias and C add.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(GemmArguments a, int batch, int row, int column, float value)
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
        public static readonly GpuKernel<GemmArguments> Tiles128x128 = new(GemmTiles.Run<TOperand, Tile128x128, Eight>);
        public static readonly GpuKernel<GemmArguments> Tiles128x64 = new(GemmTiles.Run<TOperand, Tile128x64, Float4>);
        public static readonly GpuKernel<GemmArguments> Tiles64x128 = new(GemmTiles.Run<TOperand, Tile64x128, Eight>);
        public static readonly GpuKernel<GemmArguments> Tiles64x64 = new(GemmTiles.Run<TOperand, Tile64x64, Float4>);
        public static readonly GpuKernel<GemmArguments> Tiles32x64 = new(GemmTiles.Run<TOperand, Tile32x64, Float4>);
        public static readonly GpuKernel<GemmArguments> Tiles16x64 = new(GemmTiles.Run<TOperand, Tile16x64, Float4>);
        public static readonly GpuKernel<GemmArguments> Chains = new(GemmFewRows.Chains<TOperand>);

        /// <summary>In the order of <see cref="GemmTileSize.All"/>.</summary>
        public static readonly GpuKernel<GemmArguments>[] Tiles = [Tiles128x128, Tiles128x64, Tiles64x128, Tiles64x64, Tiles32x64, Tiles16x64];
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

    /// <summary>Whether fours of A, B and C (with the bias) lie at multiples of 16 bytes, see <see cref="MarkFours"/>.</summary>
    public int FoursA;
    public int FoursB;
    public int FoursC;

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

    /// <summary>
    /// Settles what may be read and written in 128 bits: views that begin at a multiple of four numbers (memory itself begins at
    /// one of 256 bytes), whose rows do so, too.
    /// </summary>
    public void MarkFours()
    {
        FoursA = Fours(A, DepthA == 1 ? RowA : DepthA, Batch == 1 ? 0 : BatchA);
        FoursB = Fours(B, DepthB == 1 ? ColumnB : DepthB, Batch == 1 ? 0 : BatchB);
        FoursC = Fours(C, N, Batch == 1 ? 0 : BatchC) & (HasBias == 0 ? 1 : Fours(Bias, 0, 0));
    }

    private static int Fours(ArrayView<float> view, int stride, int batchStride) => view.StartsAtFour() && ((stride | batchStride) & 3) == 0 ? 1 : 0;
}
