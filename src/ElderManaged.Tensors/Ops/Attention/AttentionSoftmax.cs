using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// The softmax between the two products of attention, row by row over a block of scores.
/// </summary>
/// <remarks>
/// Powers of two instead of e: with factor = log₂e/√D, softmax weights are 2^(factor·(s − largest)) over their sum. The difference
/// comes first: it is exactly 0 for the largest score, however huge. Sums run in sixteen interleaved lanes joined as a fixed tree, whatever the width of the
/// registers: their order depends on the number of positions alone.
/// </remarks>
internal static unsafe class AttentionSoftmax
{
    // Behind each row so many zeros: products of tiles read up to a tile's height (12) beyond the diagonal.
    private const int Margin = 16;

    /// <summary>How far apart rows of scores lie: room for whole tiles and the margin, and no power of two, which would fill few sets of the cache.</summary>
    public static int Stride(int positions)
    {
        int stride = (positions + (2 * AttentionPacking.Panel) + Margin - 1) & -AttentionPacking.Panel;
        return stride % 256 < 16 || stride % 256 > 240 ? stride + 16 : stride;
    }

    // Where powers of two end: see ExpScale.
    private const float Least = -ExpScale.Bias;

    // Numbers of lanes, to tell which ones of the last sixteen positions a row sees.
    private static readonly float* Lanes = LaneNumbers();

    /// <summary>Scores become weights that are not yet divided by their sum; the largest score and the inverse of the sum go to <paramref name="statistics"/>.</summary>
    public static void Weights(SimdLevel level, float* scores, nint stride, in AttentionRows rows, float factor, float* statistics)
    {
        switch (level)
        {
            case SimdLevel.Vector512: Weights<Lanes512, Vector512<float>>(scores, stride, rows, factor, statistics); break;
            case SimdLevel.Vector256: Weights<Lanes256, Vector256<float>>(scores, stride, rows, factor, statistics); break;
            case SimdLevel.Vector128: Weights<Lanes128, Vector128<float>>(scores, stride, rows, factor, statistics); break;
            default: Weights<Lanes1, float>(scores, stride, rows, factor, statistics); break;
        }
    }

    /// <summary>
    /// Backward: scores s become weights w again, by the same steps as forward, and their slopes dw (where given) become slopes of
    /// the products q·k: w (dw − mean)/√D.
    /// </summary>
    public static void Slopes(
        SimdLevel level, float* scores, float* slopes, nint stride, in AttentionRows rows, float factor, float* statistics, float* means, float scale)
    {
        switch (level)
        {
            case SimdLevel.Vector512: Slopes<Lanes512, Vector512<float>>(scores, slopes, stride, rows, factor, statistics, means, scale); break;
            case SimdLevel.Vector256: Slopes<Lanes256, Vector256<float>>(scores, slopes, stride, rows, factor, statistics, means, scale); break;
            case SimdLevel.Vector128: Slopes<Lanes128, Vector128<float>>(scores, slopes, stride, rows, factor, statistics, means, scale); break;
            default: Slopes<Lanes1, float>(scores, slopes, stride, rows, factor, statistics, means, scale); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weights<L, V>(float* row, nint stride, in AttentionRows rows, float factor, float* statistics)
        where L : struct, ILanes<V>
        where V : struct
    {
        // A few rows at a time stay in the first-level cache, and what each waits for - the largest score, the sum - the others fill.
        const int together = 8;
        float* lanes = stackalloc float[16];
        for (int r = 0; r < rows.Count; r += together)
        {
            int count = Math.Min(together, rows.Count - r);
            for (int i = 0; i < count; i++)
            {
                statistics[2 * i] = Largest<L, V>(row + (i * stride), rows.Seen(r + i), lanes);
            }

            Powers<L, V>(row, stride, count, rows.Seen(r), rows.Step, factor, statistics, lanes);
            row += count * stride;
            statistics += 2 * count;
        }
    }

    // A method of its own, so that everything in its loops has a register.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Powers<L, V>(float* row, nint stride, int count, int seen, int step, float factor, float* statistics, float* lanes)
        where L : struct, ILanes<V>
        where V : struct
    {
        V f = L.Broadcast(factor);
        V least = L.Broadcast(Least / factor);
        for (float* end = statistics + (2 * count); statistics != end; statistics += 2)
        {
            V down = L.Broadcast(*statistics);
            nint full = seen & -16;
            for (int lane = 0; lane < 16; lane += L.Width)
            {
                V sum = L.Broadcast(0f);
                for (nint i = lane; i < full; i += 16)
                {
                    V x = Power<L, V>(L.Subtract(L.Load(row + i), down), f, least);
                    L.Store(row + i, x);
                    sum = L.Add(sum, x);
                }

                // The last positions share a register with what the row does not see.
                if (full < seen)
                {
                    float* last = row + full + lane;
                    V x = Power<L, V>(L.Subtract(L.Load(last), down), f, least);
                    x = Seen<L, V>(lane, (int)(seen - full), x, 0f);
                    L.Store(last, x);
                    sum = L.Add(sum, x);
                }

                L.Store(lanes + lane, sum);
            }

            Vector512<float>.Zero.Store(row + ((seen + 15) & -16));
            statistics[1] = 1 / Join(lanes);
            row += stride;
            seen += step;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Slopes<L, V>(float* s, float* g, nint stride, in AttentionRows rows, float factor, float* statistics, float* means, float scale)
        where L : struct, ILanes<V>
        where V : struct
    {
        V f = L.Broadcast(factor);
        V least = L.Broadcast(Least / factor);
        V down = L.Broadcast(scale);
        for (int r = 0; r < rows.Count; r++)
        {
            int seen = rows.Seen(r);
            int full = seen & -16;
            int whole = (seen + 15) & -16;
            V shift = L.Broadcast(statistics[0]);
            V over = L.Broadcast(statistics[1]);
            V mean = L.Broadcast(means[r]);
            for (int i = 0; i < full; i += L.Width)
            {
                V w = L.Multiply(Power<L, V>(L.Subtract(L.Load(s + i), shift), f, least), over);
                L.Store(s + i, w);
                if (g != null)
                {
                    L.Store(g + i, L.Multiply(L.Multiply(L.Subtract(L.Load(g + i), mean), down), w));
                }
            }

            for (int i = full; i < whole; i += L.Width)
            {
                V w = L.Multiply(Power<L, V>(L.Subtract(L.Load(s + i), shift), f, least), over);
                L.Store(s + i, Seen<L, V>(i - full, seen - full, w, 0f));
                if (g != null)
                {
                    V slope = L.Multiply(L.Multiply(L.Subtract(L.Load(g + i), mean), down), w);
                    L.Store(g + i, Seen<L, V>(i - full, seen - full, slope, 0f));
                }
            }

            Vector512<float>.Zero.Store(s + whole);
            s += stride;
            if (g != null)
            {
                Vector512<float>.Zero.Store(g + whole);
                g += stride;
            }

            statistics += 2;
        }
    }

    // The order does not matter to a maximum. What is not a number is passed over here and makes the sum not a number.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest<L, V>(float* row, int seen, float* lanes)
        where L : struct, ILanes<V>
        where V : struct
    {
        V a = L.Broadcast(float.NegativeInfinity);
        V b = a, c = a, d = a;
        int full = seen & -16;
        int i = 0;
        for (; i <= full - (4 * L.Width); i += 4 * L.Width)
        {
            a = L.Max(L.Load(row + i), a);
            b = L.Max(L.Load(row + i + L.Width), b);
            c = L.Max(L.Load(row + i + (2 * L.Width)), c);
            d = L.Max(L.Load(row + i + (3 * L.Width)), d);
        }

        for (; i < full; i += L.Width)
        {
            V x = L.Load(row + i);
            a = L.Max(x, a);
        }

        for (; i < seen; i += L.Width)
        {
            V x = Seen<L, V>(i - full, seen - full, L.Load(row + i), float.NegativeInfinity);
            b = L.Max(x, b);
        }

        if (L.Width < 16)
        {
            Vector512.Create(float.NegativeInfinity).Store(lanes);
        }

        L.Store(lanes, L.Max(L.Max(a, b), L.Max(c, d)));
        Vector128<float> most = Lanes128.Max(Lanes128.Max(Vector128.Load(lanes), Vector128.Load(lanes + 4)), Lanes128.Max(Vector128.Load(lanes + 8), Vector128.Load(lanes + 12)));
        most = Lanes128.Max(most, Vector128.Shuffle(most, Vector128.Create(2, 3, 0, 1)));
        return Lanes128.Max(most, Vector128.Shuffle(most, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>x in those of the lanes from number <paramref name="lane"/> on that are below <paramref name="count"/>, else something instead.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Seen<L, V>(int lane, int count, V x, float instead)
        where L : struct, ILanes<V>
        where V : struct
        => L.IfLess(L.Load(Lanes + lane), L.Broadcast(count), x, L.Broadcast(instead));

    // Sixteen lanes added by halving.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Join(float* lanes)
    {
        Vector128<float> sum = (Vector128.Load(lanes) + Vector128.Load(lanes + 8)) + (Vector128.Load(lanes + 4) + Vector128.Load(lanes + 12));
        sum += Vector128.Shuffle(sum, Vector128.Create(2, 3, 0, 1));
        return (sum + Vector128.Shuffle(sum, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

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
    private static V Power<L, V>(V x, V factor, V least)
        where L : struct, ILanes<V>
        where V : struct
        => L.Multiply(SimdMath.ScaledPower<L, V>(x, factor, least, L.Broadcast(ExpScale.StartOfZero), out V power), power);
}

/// <summary>Some rows of queries and how many positions each of them sees.</summary>
/// <param name="Count">The number of rows.</param>
/// <param name="First">Positions that the first row sees.</param>
/// <param name="Step">How many more each next row sees: 1 along a sequence, 0 for heads of the same position.</param>
internal readonly record struct AttentionRows(int Count, int First, int Step)
{
    public int Seen(int row) => First + (row * Step);
}
