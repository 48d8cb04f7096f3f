using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>Products of many rows: a group of threads for a tile of C; one text for tiles of all sizes and all kinds of B.</summary>
/// <remarks>
/// <code>
///        global memory                 shared memory, twice            registers of a thread
///
///   128 bits a load, while the     k ┌─────────────────┐ stage 0      a: 4 or 8 numbers ─┐
///   slice before is multiplied       │ Rows    + 4     │              b: 4 or 8 ───────┐ │
///        │                           │ Columns + 4     │ ──────────►                 ▼ ▼
///        ▼                           └─────────────────┘              sums of a chain of 64 of k
///   packet in registers  ──────►   k ┌─────────────────┐ stage 1        │ added, when it ends, to
///   (decoded on this way)            └─────────────────┘              totals
/// </code>
/// <para>
/// One barrier for a slice: while a stage is multiplied the other is free to be filled, since the barrier before had everybody
/// done with it.
/// </para>
/// <para>
/// Banks of shared memory, 32 of 4 bytes; a load or store of 128 bits is done for eight threads at a time, which must meet
/// different groups of four banks. A warp is 8 threads across and 4 down: of a row of B its threads read eight fours side by
/// side, of a row of A four, those of one line the same: no two meet. Packets that lie along columns are stored as fours side
/// by side: no two meet. Packets that lie along k are stored as four numbers into four rows: of a warp 16 columns and 2 packets
/// of k, which are 4·(Columns + 4) ≡ 16 banks apart: no two meet, and still each thread's neighbour has read the other 16 bytes
/// of its sector of 32.
/// </para>
/// </remarks>
internal static class GemmTiles
{
    internal static void Run<TOperand, TTile, TRow>(GemmArguments a)
        where TOperand : struct, IGemmOperand
        where TTile : struct, IGemmTile
        where TRow : struct, IGemmRow<TRow>
    {
        ArrayView<Float4> left = SharedMemory.Allocate<Float4>(2 * TTile.Depth * ((TTile.Rows >> 2) + 1)).AsAligned(Float4.Bytes);
        ArrayView<Float4> right = SharedMemory.Allocate<Float4>(2 * TTile.Depth * ((TTile.Columns >> 2) + 1)).AsAligned(Float4.Bytes);
        int batch = Grid.IdxZ;
        int row = Grid.IdxY * TTile.Rows;
        int column = Grid.IdxX * TTile.Columns;
        int thread = Group.IdxX;
        int warp = thread >> 5;
        int warpsAcross = TTile.Columns / (8 * TRow.Width);
        int tx = (thread & 7) + (8 * (warp % warpsAcross));
        int ty = ((thread & 31) >> 3) + (4 * (warp / warpsAcross));
        GemmSums<TRow> sums = default, sumsBelow = default, totals = default, totalsBelow = default;

        // The first round only brings the first slice.
        GemmPackets packetsA = default, packetsB = default;
        int stage = 0;
        for (int depth = -TTile.Depth; depth < a.K; depth += TTile.Depth)
        {
            int next = depth + TTile.Depth;
            if (next < a.K)
            {
                packetsA = GemmSlice<LeftOperand>.Fetch(a, batch, next, row, TTile.Rows, TTile.Depth, TTile.Threads, thread);
                packetsB = GemmSlice<TOperand>.Fetch(a, batch, next, column, TTile.Columns, TTile.Depth, TTile.Threads, thread);
            }

            if (depth >= 0)
            {
                int i = (stage * TTile.Depth * ((TTile.Rows >> 2) + 1)) + ty;
                int j = (stage * TTile.Depth * ((TTile.Columns >> 2) + 1)) + tx;
                for (int p = 0; p < TTile.Depth; p++)
                {
                    TRow b = TRow.Load(right, j, TTile.Columns >> 1);
                    sums = GemmSums<TRow>.MultiplyAdd(left[i], b, sums);
                    if (TTile.EightRows)
                    {
                        sumsBelow = GemmSums<TRow>.MultiplyAdd(left[i + (TTile.Rows >> 3)], b, sumsBelow);
                    }

                    i += (TTile.Rows >> 2) + 1;
                    j += (TTile.Columns >> 2) + 1;
                }

                // A chain ends; or k does.
                if ((next & (GemmGpu.Block - 1)) == 0 || next >= a.K)
                {
                    totals = GemmSums<TRow>.Add(totals, sums);
                    totalsBelow = GemmSums<TRow>.Add(totalsBelow, sumsBelow);
                    sums = default;
                    sumsBelow = default;
                }
            }

            stage ^= 1;
            if (next < a.K)
            {
                GemmSlice<LeftOperand>.Put(a, packetsA, left, stage, next, row, TTile.Rows, TTile.Depth, TTile.Threads, thread);
                GemmSlice<TOperand>.Put(a, packetsB, right, stage, next, column, TTile.Columns, TTile.Depth, TTile.Threads, thread);
            }

            Group.Barrier();
        }

        row += 4 * ty;
        column += 4 * tx;
        GemmSums<TRow>.Store(totals, a, batch, row, column, TTile.Columns >> 1);
        if (TTile.EightRows)
        {
            GemmSums<TRow>.Store(totalsBelow, a, batch, row + (TTile.Rows >> 1), column, TTile.Columns >> 1);
        }
    }
}

/// <summary>The size of a tile of C, as constants for the compiler; the numbers are powers of two.</summary>
internal interface IGemmTile
{
    /// <summary>Rows of C.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of C.</summary>
    static abstract int Columns { get; }

    /// <summary>Numbers of k in shared memory at a time.</summary>
    static abstract int Depth { get; }

    /// <summary>Whether a thread has eight rows of C, not four.</summary>
    static abstract bool EightRows { get; }

    /// <summary>Threads of a group: Rows·Columns over what one has of C.</summary>
    static abstract int Threads { get; }
}

/// <summary>128 × 128, a thread 8 × 8.</summary>
internal readonly struct Tile128x128 : IGemmTile
{
    public static int Rows => 128;

    public static int Columns => 128;

    public static int Depth => 16;

    public static bool EightRows => true;

    public static int Threads => 256;
}

/// <summary>128 × 64, a thread 8 × 4.</summary>
internal readonly struct Tile128x64 : IGemmTile
{
    public static int Rows => 128;

    public static int Columns => 64;

    public static int Depth => 16;

    public static bool EightRows => true;

    public static int Threads => 256;
}

/// <summary>64 × 128, a thread 8 × 8.</summary>
internal readonly struct Tile64x128 : IGemmTile
{
    public static int Rows => 64;

    public static int Columns => 128;

    public static int Depth => 8;

    public static bool EightRows => true;

    public static int Threads => 128;
}

/// <summary>64 × 64, a thread 4 × 4.</summary>
internal readonly struct Tile64x64 : IGemmTile
{
    public static int Rows => 64;

    public static int Columns => 64;

    public static int Depth => 16;

    public static bool EightRows => false;

    public static int Threads => 256;
}

/// <summary>32 × 64, a thread 4 × 4.</summary>
internal readonly struct Tile32x64 : IGemmTile
{
    public static int Rows => 32;

    public static int Columns => 64;

    public static int Depth => 16;

    public static bool EightRows => false;

    public static int Threads => 128;
}

/// <summary>16 × 64, a thread 4 × 4.</summary>
internal readonly struct Tile16x64 : IGemmTile
{
    public static int Rows => 16;

    public static int Columns => 64;

    public static int Depth => 8;

    public static bool EightRows => false;

    public static int Threads => 64;
}
