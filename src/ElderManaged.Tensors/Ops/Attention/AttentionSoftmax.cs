using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// The softmax between the two products of attention, over scores that lie position by position, each with up to 32 rows side by side.
/// </summary>
/// <remarks>
/// <code>
///                 rows →  (lanes)
///               ┌──────────┬──────────┐      Each row has a lane, so largest scores and sums are found
///   positions   │ ╲        │          │      going down, without ever looking across a register.
///       ↓       │    ╲     │          │      A register sees positions down to its first row's own all alike;
///               │       ╲  │          │      from there to its last row's own a row sees what is above the diagonal.
///               │ not seen │ ╲        │      Below it there shall be zeros, as far as tiles of the products reach.
///               └──────────┴──────────┘
/// </code>
/// Powers of two instead of e: with factor = log₂e/√D, softmax weights are 2^(factor·(s − largest)) over their sum. The difference
/// comes first: it is exactly 0 for the largest score, however huge. Sums run in sixteen interleaved chains, position p in chain p % 16, joined as a
/// fixed tree: their order depends on the number of positions alone, and few rows (<see cref="AttentionFewRows"/>) have it in sixteen lanes.
/// </remarks>
internal static unsafe class AttentionSoftmax
{
    /// <summary>Chains of a sum.</summary>
    public const int Chains = 16;

    // So many positions beyond its own a row shares a tile with.
    private const int Reach = GemmKernels.MaxRows - 1;

    /// <summary>Where powers of two end: see <see cref="ExpScale"/>.</summary>
    public const float Least = -ExpScale.Bias;

    // Numbers of lanes, to tell which of them see a position.
    private static readonly float* Lanes = LaneNumbers();

    /// <summary>Scores become weights that are not yet divided by their sum. Of the <paramref name="known"/> first positions the largest scores are known already.</summary>
    /// <param name="level">The vector width.</param>
    /// <param name="scores">[positions, 32 rows].</param>
    /// <param name="stride">From position to position.</param>
    /// <param name="rows">At most 32.</param>
    /// <param name="factor">log₂e/√D.</param>
    /// <param name="known">Positions of which <paramref name="largest"/> holds the largest score; all rows see them.</param>
    /// <param name="largest">Each row's largest score.</param>
    /// <param name="over">The inverse of each row's sum.</param>
    /// <param name="sums">Room for 16 chains of one register.</param>
    public static void Weights(SimdLevel level, float* scores, nint stride, in AttentionRows rows, float factor, int known, float* largest, float* over, float* sums)
    {
        switch (level)
        {
            case SimdLevel.Vector512: Weights<Lanes512, Vector512<float>>(scores, stride, rows, factor, known, largest, over, sums); break;
            case SimdLevel.Vector256: Weights<Lanes256, Vector256<float>>(scores, stride, rows, factor, known, largest, over, sums); break;
            case SimdLevel.Vector128: Weights<Lanes128, Vector128<float>>(scores, stride, rows, factor, known, largest, over, sums); break;
            default: Weights<Lanes1, float>(scores, stride, rows, factor, known, largest, over, sums); break;
        }
    }

    /// <summary>
    /// Backward: scores s become weights w again, by the same steps as forward, and their slopes dw (where given) become slopes of
    /// the products q·k: w (dw − mean)/√D. Zeros below what rows see end at <paramref name="end"/> positions.
    /// </summary>
    public static void Slopes(
        SimdLevel level, float* scores, float* slopes, nint stride, in AttentionRows rows, int end, float factor, float* largest, float* over, float* means, float scale)
    {
        switch (level)
        {
            case SimdLevel.Vector512: Slopes<Lanes512, Vector512<float>>(scores, slopes, stride, rows, end, factor, largest, over, means, scale); break;
            case SimdLevel.Vector256: Slopes<Lanes256, Vector256<float>>(scores, slopes, stride, rows, end, factor, largest, over, means, scale); break;
            case SimdLevel.Vector128: Slopes<Lanes128, Vector128<float>>(scores, slopes, stride, rows, end, factor, largest, over, means, scale); break;
            default: Slopes<Lanes1, float>(scores, slopes, stride, rows, end, factor, largest, over, means, scale); break;
        }
    }

    private static void Weights<L, V>(float* scores, nint stride, in AttentionRows rows, float factor, int known, float* largest, float* over, float* sums)
        where L : struct, ILanes<V>
        where V : struct
    {
        // One register's largest scores are found while another's are waited for.
        int end = rows.Seen(rows.Count - 1);
        for (int r = 0; r < rows.Count; r += L.Width)
        {
            L.Store(largest + r, Largest<L, V>(scores + r, stride, known, rows.Seen(r), Math.Min(end, rows.Seen(r + L.Width - 1)), L.Load(largest + r)));
        }

        for (int r = 0; r < rows.Count; r += L.Width)
        {
            int some = Math.Min(end, rows.Seen(r + L.Width - 1));
            L.Store(over + r, Powers<L, V>(scores + r, stride, rows.Seen(r), some, L.Load(largest + r), factor, sums));
            Clear<L, V>(scores + r, stride, some, end);
        }
    }

    // The order does not matter to a maximum. What is not a number is passed over here and makes the sum not a number.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static V Largest<L, V>(float* x, nint stride, int known, int all, int some, V largest)
        where L : struct, ILanes<V>
        where V : struct
    {
        V a = L.Broadcast(float.NegativeInfinity);
        V b = a, c = a, d = a;
        x += known * stride;
        int p = known;
        for (; p <= all - 4; p += 4)
        {
            a = L.Max(L.Load(x), a);
            b = L.Max(L.Load(x + stride), b);
            x += 2 * stride;
            c = L.Max(L.Load(x), c);
            d = L.Max(L.Load(x + stride), d);
            x += 2 * stride;
        }

        V lanes = L.Load(Lanes);
        for (; p < some; p++)
        {
            b = L.Max(Seen<L, V>(p - all, lanes, L.Load(x), L.Broadcast(float.NegativeInfinity)), b);
            x += stride;
        }

        a = L.Max(L.Max(a, b), L.Max(c, d));
        return known == 0 ? a : L.Max(a, largest);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static V Powers<L, V>(float* x, nint stride, int all, int some, V largest, float factor, float* sums)
        where L : struct, ILanes<V>
        where V : struct
    {
        V f = L.Broadcast(factor);
        V least = L.Broadcast(Least / factor);
        for (int chain = some; chain < Chains; chain++)
        {
            L.Store(sums + (chain * L.Width), L.Broadcast(0f));
        }

        int p = 0;
        for (; p < all; p++)
        {
            V w = Power<L, V>(L.Subtract(L.Load(x), largest), f, least);
            L.Store(x, w);
            AddToChain<L, V>(sums, p, w);
            x += stride;
        }

        V lanes = L.Load(Lanes);
        for (; p < some; p++)
        {
            V w = Seen<L, V>(p - all, lanes, Power<L, V>(L.Subtract(L.Load(x), largest), f, least), L.Broadcast(0f));
            L.Store(x, w);
            AddToChain<L, V>(sums, p, w);
            x += stride;
        }

        return L.Divide(L.Broadcast(1f), L.Add(
            L.Add(FourChains<L, V>(sums), FourChains<L, V>(sums + (2 * L.Width))),
            L.Add(FourChains<L, V>(sums + L.Width), FourChains<L, V>(sums + (3 * L.Width)))));
    }

    // Position p's weight to its chain: the first one begins it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddToChain<L, V>(float* sums, int p, V w)
        where L : struct, ILanes<V>
        where V : struct
    {
        float* sum = sums + ((p & (Chains - 1)) * L.Width);
        L.Store(sum, p < Chains ? w : L.Add(L.Load(sum), w));
    }

    // Chains 0, 4, 8 and 12 from the first one on.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V FourChains<L, V>(float* sums)
        where L : struct, ILanes<V>
        where V : struct
        => L.Add(
            L.Add(L.Load(sums), L.Load(sums + (8 * L.Width))),
            L.Add(L.Load(sums + (4 * L.Width)), L.Load(sums + (12 * L.Width))));

    private static void Slopes<L, V>(
        float* scores, float* slopes, nint stride, in AttentionRows rows, int end, float factor, float* largest, float* over, float* means, float scale)
        where L : struct, ILanes<V>
        where V : struct
    {
        int last = rows.Seen(rows.Count - 1);
        for (int r = 0; r < rows.Count; r += L.Width)
        {
            int all = rows.Seen(r);
            int some = Math.Min(last, rows.Seen(r + L.Width - 1));
            float* s = scores + r;
            float* g = slopes == null ? null : slopes + r;
            Slopes<L, V>(s, g, stride, all, some, factor, L.Load(largest + r), L.Load(over + r), L.Load(means + r), scale);
            Clear<L, V>(s, stride, some, end);
            if (g != null)
            {
                Clear<L, V>(g, stride, some, end);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Slopes<L, V>(float* s, float* g, nint stride, int all, int some, float factor, V largest, V over, V mean, float scale)
        where L : struct, ILanes<V>
        where V : struct
    {
        V f = L.Broadcast(factor);
        V least = L.Broadcast(Least / factor);
        V down = L.Broadcast(scale);
        V lanes = L.Load(Lanes);
        for (int p = 0; p < some; p++)
        {
            V w = L.Multiply(Power<L, V>(L.Subtract(L.Load(s), largest), f, least), over);
            if (p >= all)
            {
                w = Seen<L, V>(p - all, lanes, w, L.Broadcast(0f));
            }

            L.Store(s, w);
            s += stride;
            if (g != null)
            {
                V slope = L.Multiply(L.Multiply(L.Subtract(L.Load(g), mean), down), w);
                L.Store(g, p < all ? slope : Seen<L, V>(p - all, lanes, slope, L.Broadcast(0f)));
                g += stride;
            }
        }
    }

    private static void Clear<L, V>(float* x, nint stride, int from, int end)
        where L : struct, ILanes<V>
        where V : struct
    {
        for (int p = from; p < Math.Min(end, from + Reach); p++)
        {
            L.Store(x + (p * stride), L.Broadcast(0f));
        }
    }

    /// <summary>x in the lanes beyond number <paramref name="position"/>, else something instead: with the first position that not all of them see as number 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Seen<L, V>(int position, V lanes, V x, V instead)
        where L : struct, ILanes<V>
        where V : struct
        => L.IfLess(L.Broadcast(position), lanes, x, instead);

    // Lives as long as the process.
    private static float* LaneNumbers()
    {
        float* numbers = (float*)NativeMemory.AlignedAlloc(16 * sizeof(float), 64);
        for (int lane = 0; lane < 16; lane++)
        {
            numbers[lane] = lane;
        }

        return numbers;
    }

    /// <summary>2^(x·factor) for x ≤ 0; 0 where that would be subnormal, which no sum could feel. <paramref name="least"/> is <see cref="Least"/> / factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Power<L, V>(V x, V factor, V least)
        where L : struct, ILanes<V>
        where V : struct
        => L.Multiply(SimdMath.ScaledPower<L, V>(x, factor, least, L.Broadcast(ExpScale.StartOfZero), out V power), power);
}

/// <summary>Some rows of queries of a sequence, one after the other.</summary>
/// <param name="Count">The number of rows.</param>
/// <param name="First">Positions that the first row sees; each next one sees one more.</param>
internal readonly record struct AttentionRows(int Count, int First)
{
    public int Seen(int row) => First + row;
}
