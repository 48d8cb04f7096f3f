using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// dx = dy·W for one to four rows of dy and a W whose outputs lie side by side in panels: the time is that of reading W, so nothing
/// of it is turned or moved.
/// </summary>
/// <remarks>
/// <code>
///   a panel        outputs 0 … 15   16 … 31  …              sums of a part, a block of them in the first-level cache
///   input k       |   register   |  register |      →      k:    row 0 | row 1 | …   sixteen floats each
///   input k + 1   |   register   |  register |      →      k+1:  row 0 | row 1 | …
///                    × dy[0…15]    × dy[16…31]
/// </code>
/// <para>
/// The sum of an input is sixteen chains of fma, chain l over the outputs l, l + 16, l + 32 … in ascending order; they are added when
/// W has been read: l and l + 8, then l and l + 4, l + 2, l + 1. That is the order at every SIMD level and for every way of storing
/// W, and another one than that of five rows and more (see <see cref="Gemm"/>).
/// </para>
/// </remarks>
internal static unsafe class WideSums
{
    /// <summary>The most rows of dy.</summary>
    public const int MaxRows = 4;

    /// <summary>Chains of a sum.</summary>
    public const int Chains = 16;

    // Inputs of a part. Its sums, 24 KB for each row, lie in the second-level cache and a block's in the first. Shorter pieces of the
    // panels cost more than that: at the end of each, the processor has fetched on, and the next lies pages away.
    private const int PartInputs = 384;

    // Inputs go to parts in pieces of 32: whole groups of every stored format.
    private const int Piece = 32;

    [ThreadStatic]
    private static AlignedBuffer? t_sums;

    [ThreadStatic]
    private static AlignedBuffer? t_rows;

    /// <summary>
    /// dy (rows, outputs) as (panels, rows, width), zeros behind its end: its registers then begin where lines of the cache begin,
    /// without which each of them costs two loads.
    /// </summary>
    public static float* Pack(int rows, int outputs, int width, float* dy)
    {
        int panels = (outputs + width - 1) / width;
        float* packed = AlignedBuffer.Rent(ref t_rows, (long)panels * rows * width);
        float* to = packed;
        for (int o = 0; o < outputs; o += width)
        {
            int count = Math.Min(width, outputs - o);
            for (int row = 0; row < rows; row++, to += width)
            {
                Span<float> target = new(to, width);
                new Span<float>(dy + (row * (nint)outputs) + o, count).CopyTo(target);
                target[count..].Clear();
            }
        }

        return packed;
    }

    /// <summary>How many parts, which are ranges of inputs: the same number for every thread.</summary>
    public static int Parts(int inputs)
    {
        int pieces = (inputs + Piece - 1) / Piece;
        int least = (inputs + PartInputs - 1) / PartInputs;
        return Math.Min(pieces, (least + CpuThreads.Count - 1) / CpuThreads.Count * CpuThreads.Count);
    }

    /// <summary>Where a part begins, and the one before it ends.</summary>
    public static int FirstInput(int part, int parts, int inputs) => Math.Min(inputs, (int)((long)part * ((inputs + Piece - 1) / Piece) / parts) * Piece);

    /// <summary>Cleared sums (inputs, rows, <see cref="Chains"/>) of the calling thread, with room for one input more.</summary>
    public static float* Rent(int rows, int inputs)
    {
        nint length = (nint)(inputs + 1) * rows * Chains;
        float* sums = AlignedBuffer.Rent(ref t_sums, length);
        new Span<float>(sums, (int)length).Clear();
        return sums;
    }

    /// <summary>dx (rows, inputs) = the chains' totals (+ dx).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Finish(int rows, int inputs, float* sums, float* dx, nint dxRow, bool accumulate)
    {
        for (int k = 0; k < inputs; k++)
        {
            for (int row = 0; row < rows; row++, sums += Chains)
            {
                Vector256<float> eight = Vector256.Load(sums) + Vector256.Load(sums + 8);
                Vector128<float> four = eight.GetLower() + eight.GetUpper();
                float total = (four[0] + four[2]) + (four[1] + four[3]);
                float* to = dx + (row * dxRow) + k;
                *to = accumulate ? *to + total : total;
            }
        }
    }

    /// <summary>Sums += dy·W for some inputs of one panel of 32 outputs, or of two side by side, which exchange half as many sums with memory.</summary>
    /// <param name="level">Width of the registers.</param>
    /// <param name="rows">1 to 4.</param>
    /// <param name="panel">32 floats for each input.</param>
    /// <param name="second">From there to the panel beside it; 0 for one panel alone.</param>
    /// <param name="inputs">How many inputs.</param>
    /// <param name="dy">The rows' numbers for the outputs of the panel.</param>
    /// <param name="dyRow">From one row to the next.</param>
    /// <param name="dySecond">From those of the panel to those of the second.</param>
    /// <param name="sums">Those of the first input.</param>
    /// <param name="ahead">What is fetched meanwhile.</param>
    public static void Add(SimdLevel level, int rows, float* panel, nint second, int inputs, float* dy, nint dyRow, nint dySecond, float* sums, PanelStreams ahead)
    {
        Panels panels = new() { First = panel, Second = second, Inputs = inputs, Dy = dy, DyRow = dyRow, DySecond = dySecond, Sums = sums, Ahead = ahead };
        switch (level)
        {
            case SimdLevel.Vector512: Add<Lanes512, Vector512<float>>(rows, panels); break;
            case SimdLevel.Vector256: Add<Lanes256, Vector256<float>>(rows, panels); break;
            case SimdLevel.Vector128: Add<Lanes128, Vector128<float>>(rows, panels); break;
            default: Add<Lanes1, float>(rows, panels); break;
        }
    }

    private static void Add<L, V>(int rows, in Panels panels)
        where L : struct, ILanes<V>
        where V : struct
    {
        if (panels.Second == 0)
        {
            Add<L, V, GemmTile.H1>(rows, panels);
        }
        else
        {
            Add<L, V, GemmTile.H2>(rows, panels);
        }
    }

    private static void Add<L, V, P>(int rows, in Panels panels)
        where L : struct, ILanes<V>
        where V : struct
        where P : struct, GemmTile.IHeight
    {
        switch (rows)
        {
            case 1: Add<L, V, P, GemmTile.H1>(panels); break;
            case 2: Add<L, V, P, GemmTile.H2>(panels); break;
            case 3: Add<L, V, P, GemmTile.H3>(panels); break;
            default: Add<L, V, P, GemmTile.H4>(panels); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<L, V, P, H>(Panels panels)
        where L : struct, ILanes<V>
        where V : struct
        where P : struct, GemmTile.IHeight
        where H : struct, GemmTile.IHeight
    {
        float* w = panels.First, dy = panels.Dy, sums = panels.Sums;
        nint second = panels.Second, dyRow = panels.DyRow, dySecond = panels.DySecond;
        PanelStreams ahead = panels.Ahead;
        for (int k = panels.Inputs; k > 0; k--, w += GemmKernels.PanelWidth, sums += H.Rows * Chains)
        {
            if (P.Rows > 1 || (k & 1) == 0)
            {
                ahead.Fetch(); // for four lines
            }

            for (int lane = 0; lane < Chains; lane += L.Width)
            {
                float* at = w + lane, y = dy + lane, to = sums + lane;
                Add<L, V, P>(at, second, y, dySecond, to);
                if (H.Rows > 1) { Add<L, V, P>(at, second, y + dyRow, dySecond, to + Chains); }
                if (H.Rows > 2) { Add<L, V, P>(at, second, y + (2 * dyRow), dySecond, to + (2 * Chains)); }
                if (H.Rows > 3) { Add<L, V, P>(at, second, y + (3 * dyRow), dySecond, to + (3 * Chains)); }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<L, V, P>(float* w, nint second, float* dy, nint dySecond, float* sums)
        where L : struct, ILanes<V>
        where V : struct
        where P : struct, GemmTile.IHeight
    {
        V sum = L.Fma(L.Load(dy), L.Load(w), L.Load(sums));
        sum = L.Fma(L.Load(dy + Chains), L.Load(w + Chains), sum);
        if (P.Rows > 1)
        {
            sum = L.Fma(L.Load(dy + dySecond), L.Load(w + second), sum);
            sum = L.Fma(L.Load(dy + dySecond + Chains), L.Load(w + second + Chains), sum);
        }

        L.Store(sums, sum);
    }

    private struct Panels
    {
        public float* First;
        public nint Second;
        public int Inputs;
        public float* Dy;
        public nint DyRow;
        public nint DySecond;
        public float* Sums;
        public PanelStreams Ahead;
    }
}
