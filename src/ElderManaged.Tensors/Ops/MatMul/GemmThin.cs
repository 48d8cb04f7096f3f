using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// C (m, n) ← A·Bᵀ (+ C) for a B of at most sixteen rows: the way down to the rank of a LoRA. The chains of <see cref="Gemm"/>.
/// </summary>
/// <remarks>
/// <code>
///   B (n, k)          one block of k, turned                 A: rows in strips of 12
///   ┌──────┬──────┐   ┌ 16 ┐ 384 steps of k, 24 KB: half      ┌──────┬──────┐     sums of all rows, 16 floats each,
///   │384 k │      │ → │    │ of a first-level cache; the      │ 12 × │384 k │  →  go on with the next block of k
///   └──────┴──────┘   └────┘ rest is for what A streams by    └──────┴──────┘     and reach C when all are done
/// </code>
/// Up to eight rows of B take half the width, and twice the steps: processors of AVX-512 load three registers of 256 bits in a cycle, but two of 512,
/// and a kernel of one register's width is bound by loads. Threads divide the rows, and each turns B for itself: it is little, and lies in the right cache at once.
/// </remarks>
internal static unsafe class GemmThin
{
    /// <summary>The most rows of B.</summary>
    public const int MaxColumns = 16;

    private const int NarrowColumns = 8;

    // Elements of a block of B, turned: see above.
    private const int BlockElements = 6144;

    // So many sums are kept at a time: 32 KB.
    private const int MaxRowBlock = 504;

    // Elements of A in a microsecond of one thread, roughly.
    private const int Rate = 4000;

    [ThreadStatic]
    private static AlignedBuffer? t_panel;

    [ThreadStatic]
    private static AlignedBuffer? t_sums;

    /// <summary>Multiplies, on as many threads as are worth it. A's rows are contiguous, as are B's.</summary>
    public static void Multiply(float* a, nint aRow, float* b, nint bRow, float* c, nint ldc, int m, int n, int k, bool accumulate)
    {
        int threads = CpuThreads.AreWorth((double)m * k / Rate) ? Math.Min(CpuThreads.Count, (m + GemmKernels.MaxRows - 1) / GemmKernels.MaxRows) : 1;
        int parts = Math.Max(threads, (m + MaxRowBlock - 1) / MaxRowBlock);
        Work work = new() { Level = Simd.Level, A = a, ARow = aRow, B = b, BRow = bRow, C = c, Ldc = ldc, Rows = m, Columns = n, Depth = k, Parts = parts, Accumulate = accumulate };
        CpuThreads.Run(parts, work, static (w, part) => w.Compute((int)((long)w.Rows * part / w.Parts), (int)((long)w.Rows * (part + 1) / w.Parts)));
    }

    private struct Work
    {
        public SimdLevel Level;
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

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Compute(int first, int end)
        {
            bool narrow = Columns <= NarrowColumns && Level >= SimdLevel.Vector256;
            int width = narrow ? NarrowColumns : MaxColumns, block = BlockElements / width;
            float* panel = AlignedBuffer.Rent(ref t_panel, BlockElements);
            float* sums = AlignedBuffer.Rent(ref t_sums, (long)(end - first) * width);
            for (int i = first; Accumulate && i < end; i++)
            {
                Move(C + (i * Ldc), sums + ((i - first) * width));
            }

            for (int p = 0; p < Depth; p += block)
            {
                int depth = Math.Min(block, Depth - p);
                Turn(B + p, depth, panel, width);
                TileWork tile = new() { ARow = ARow, ACol = 1, B = panel, BRow = width, C = sums, Ldc = width, Depth = depth, Pieces = 1, Accumulate = Accumulate || p > 0 };
                for (int i = first; i < end;)
                {
                    tile.A = A + (i * ARow) + p;
                    int height = narrow ? GemmKernels.NarrowTile(end - i, &tile) : WideTile(end - i, &tile);
                    tile.C += height * width;
                    i += height;
                }
            }

            for (int i = first; i < end; i++)
            {
                Move(sums + ((i - first) * width), C + (i * Ldc));
            }
        }

        private readonly void Move(float* from, float* to) => new Span<float>(from, Columns).CopyTo(new Span<float>(to, Columns));

        private readonly int WideTile(int rows, TileWork* tile)
        {
            int height = GemmKernels.KernelRows(Level, rows);
            GemmKernels.Tile(Level, height, MaxColumns, tile);
            return height;
        }

        // panel[p, j] = b[j, p]. Where B has fewer rows than the panel is wide, its last one is repeated: what its lanes compute is not looked at.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Turn(float* b, int depth, float* panel, int width)
        {
            float** row = stackalloc float*[MaxColumns];
            for (int j = 0; j < width; j++)
            {
                row[j] = b + (Math.Min(j, Columns - 1) * BRow);
            }

            int p = 0;
            if (width == NarrowColumns)
            {
                for (; Avx.IsSupported && p <= depth - 4; p += 4)
                {
                    GemmPacking.StoreTurned(Halves(row, p), Halves(row + 1, p), Halves(row + 2, p), Halves(row + 3, p), panel + (p * NarrowColumns), NarrowColumns);
                }
            }
            else
            {
                for (; Avx512F.IsSupported && p <= depth - 4; p += 4)
                {
                    GemmPacking.StoreTurned(Quarters(row, p), Quarters(row + 1, p), Quarters(row + 2, p), Quarters(row + 3, p), panel + (p * MaxColumns), MaxColumns);
                }
            }

            if (p < depth)
            {
                GemmPacking.NarrowPanel(b + p, BRow, depth - p, Columns, panel + (p * width), width);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector256<float> Halves(float** row, int p) => Vector256.Create(Vector128.Load(row[0] + p), Vector128.Load(row[4] + p));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<float> Quarters(float** row, int p) => GemmPacking.Quarters(row[0] + p, row[4] + p, row[8] + p, row[12] + p);
    }
}
