using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// Exponential, logarithm and their kin for vector registers of any width, written once: reduction of the argument,
/// then a short Taylor series in fused multiply-adds. Exp and Log are within 1.1 units in the last place of the exact value,
/// Sigmoid, which divides, within 2.5 (the tests measure it); the same bits at every width.
/// </summary>
internal static class SimdMath
{
    // ln 2 in two pieces: the first has so few digits that its product with a whole number below 2⁹ is exact.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;
    internal const float OneOverLn2 = 1.44269504f;
    private const float OneOverLn2Rest = 1.92596299e-8f;

    // Adding 1.5·2²³ leaves no room for a fraction: the sum, and hence the difference, is a whole number.
    internal const float Rounder = 12582912f;

    /// <summary>eˣ: 0 far below, infinity above 88.72, right through the subnormal range.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<L, V>(V x)
        where L : struct, ILanes<V>
        where V : struct
    {
        V low = L.Broadcast(-104f); // e⁻¹⁰⁴ rounds to zero
        V high = L.Broadcast(89f);  // e⁸⁹ overflows
        x = L.Min(high, L.Max(low, x)); // what is not a number stays so
        V r = Reduce<L, V>(x, out V n);
        return L.Scale(L.Add(ExpMinusOneNearZero<L, V>(r), L.Broadcast(1f)), n);
    }

    /// <summary>
    /// Exponentials of many numbers with a common scale, in half the steps of <see cref="Exp"/>: eˣ·2⁻ˢ = <paramref name="power"/> times the result,
    /// left to the caller, who may add with the same step. 0 where it would be below 2⁻¹²⁵, hence never subnormal.
    /// </summary>
    /// <remarks>
    /// <para>
    /// In y = x·log₂e = n + f the whole number n becomes the exponent of a float by a shift of bits, and 2ᶠ is a polynomial, within 1.0·10⁻⁷. Because s is whole, no
    /// rounding lies between x and f. What is lost is that log₂e is a float: the exponent is off by 1.4·10⁻⁸ of itself.
    /// </para>
    /// <para>
    /// Processors compute with subnormal numbers in slow microcode, a hundred times the time of a multiplication, and rows of logits
    /// or scores are full of elements that far below their largest. Beside a sum that is at least ½ they are nothing.
    /// </para>
    /// </remarks>
    /// <param name="x">Below 2¹⁹ in size, or far below what s was made for.</param>
    /// <param name="least">See <see cref="ExpScale"/>.</param>
    /// <param name="start">See <see cref="ExpScale"/>.</param>
    /// <param name="power">The power of two.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ScaledExp<L, V>(V x, V least, V start, out V power)
        where L : struct, ILanes<V>
        where V : struct
        => ScaledPower<L, V>(x, L.Broadcast(OneOverLn2), least, start, out power);

    /// <summary>As <see cref="ScaledExp"/>, for powers of two: 2^(x·factor)·2⁻ˢ = <paramref name="power"/> times the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ScaledPower<L, V>(V x, V factor, V least, V start, out V power)
        where L : struct, ILanes<V>
        where V : struct
    {
        x = L.Max(least, x); // what is not a number stays so
        V z = L.Fma(x, factor, start);
        power = L.PowerInBits(z);
        return Power<L, V>(L.Fma(x, factor, L.Subtract(start, z)), 2f);
    }

    /// <summary>
    /// 2^y·2⁵⁰ within 1.5·10⁻⁷ of itself, for sums of many powers: AVX-512 takes y apart, and puts the power together, in one instruction each, which saves a
    /// step of <see cref="ScaledPower"/>'s. The same bits without them. y is at most 76; below -176 it counts as that, since a subnormal
    /// power would take a hundred times as long. So the lift: what is that far below the largest is nothing beside it.
    /// </summary>
    /// <remarks>2ᶠ for 0 ≤ f &lt; 1 is Remez's best polynomial of the fifth degree, within 7.5·10⁻⁸, coefficients rounded.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LiftedPowerOfTwo(Vector512<float> y)
    {
        const byte Down = 1;
        y = Lanes512.Max(Vector512.Create(-126f - Lift), y); // what is not a number stays so
        Vector512<float> f = Avx512DQ.IsSupported ? Avx512DQ.Reduce(y, Down) : y - Vector512.Floor(y);
        Vector512<float> p = Vector512.FusedMultiplyAdd(Vector512.Create(LiftUp * 0.0018775766948238015f), f, Vector512.Create(LiftUp * 0.00898933969438076f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(LiftUp * 0.05582631751894951f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(LiftUp * 0.24015361070632935f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(LiftUp * 0.6931530833244324f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(LiftUp * 0.9999999403953552f));
        return Avx512DQ.IsSupported ? Avx512F.Scale(p, y) : ScaledByFloor(p, y);
    }

    /// <summary>What takes <see cref="LiftedPowerOfTwo"/>'s lift away.</summary>
    public const double LiftDown = 1 / (double)LiftUp;

    private const int Lift = 50;
    private const float LiftUp = 1L << Lift;

    // p·2^⌊y⌋, p with its lift: the power by the bits of a float's exponent, and in two steps, since it may be below the least of them.
    internal static Vector512<float> ScaledByFloor(Vector512<float> p, Vector512<float> y)
    {
        Vector512<int> exponent = Vector512.ConvertToInt32(Vector512.Floor(y)) + Vector512.Create(127 + Lift);
        return p * (float)LiftDown * Vector512.ShiftLeft(exponent, 23).AsSingle();
    }

    /// <summary>
    /// σ(-x·q·ln 2) = 1 / (1 + 2^(x·q)) for |x·q| ≤ 124: without a division, which takes as long as all the rest.
    /// Within 2.5 units in the last place, if x·q is exact.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gate<L, V>(V x, V q)
        where L : struct, ILanes<V>
        where V : struct
    {
        V start = L.Broadcast(Rounder + 127);
        V z = L.Fma(x, q, start);
        return OneOverOneAnd<L, V>(Power<L, V>(L.Fma(x, q, L.Subtract(start, z)), -1f), L.PowerInBits(z));
    }

    /// <summary>As <see cref="Sigmoid"/>, within 2.5 units in the last place too, but for |x| ≤ 86 only, and without a division.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gate<L, V>(V x)
        where L : struct, ILanes<V>
        where V : struct
    {
        V start = L.Broadcast(Rounder + 127);
        V q = L.Broadcast(-OneOverLn2);
        V z = L.Fma(x, q, start);
        V f = L.Fma(x, L.Broadcast(-OneOverLn2Rest), L.Fma(x, q, L.Subtract(start, z)));
        return OneOverOneAnd<L, V>(Power<L, V>(f, -1f), L.PowerInBits(z));
    }

    /// <summary>σ(x) = 1 / (1 + e⁻ˣ), from e^(-|x|), which cannot overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<L, V>(V x)
        where L : struct, ILanes<V>
        where V : struct
    {
        V one = L.Broadcast(1f);
        V z = Exp<L, V>(L.CopySign(x, L.Broadcast(-1f)));
        return L.Divide(L.IfLess(x, L.Broadcast(0f), z, one), L.Add(one, z));
    }

    /// <summary>ln x: -∞ at 0, not a number below.</summary>
    /// <remarks>
    /// With x = m·2ᵉ, f = m - 1 and s = f / (2 + f), ln m = 2·artanh s. Written as f - (f²/2 - s·(f²/2 + R)), R = 2·artanh(s)/s - 2,
    /// the leading term is exact: the arrangement of FDLIBM's logarithm (Sun Microsystems, 1993).
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<L, V>(V x)
        where L : struct, ILanes<V>
        where V : struct
    {
        // A subnormal has no leading one: scale it up by 2²⁵ first.
        V smallest = L.Broadcast(1.17549435e-38f);
        V normal = L.IfLess(x, smallest, L.Multiply(x, L.Broadcast(33554432f)), x);
        V m = L.Split(normal, out V e);
        e = L.IfLess(x, smallest, L.Subtract(e, L.Broadcast(25f)), e);
        V f = L.Subtract(m, L.Broadcast(1f));
        V s = L.Divide(f, L.Add(f, L.Broadcast(2f)));
        V z = L.Multiply(s, s);
        V series = L.Broadcast(2f / 11);
        series = L.Fma(series, z, L.Broadcast(2f / 9));
        series = L.Fma(series, z, L.Broadcast(2f / 7));
        series = L.Fma(series, z, L.Broadcast(2f / 5));
        series = L.Fma(series, z, L.Broadcast(2f / 3));
        V halfSquare = L.Multiply(L.Multiply(f, f), L.Broadcast(0.5f));
        V bent = L.Multiply(s, L.Fma(series, z, halfSquare));
        V tail = L.Subtract(halfSquare, L.Fma(e, L.Broadcast(Ln2Low), bent));
        V result = L.Fma(e, L.Broadcast(Ln2High), L.Subtract(f, tail));

        // What is no positive finite number: ∞ and not-a-number give themselves, 0 gives -∞, below 0 there is nothing.
        V zero = L.Broadcast(0f);
        V atMostZero = L.IfLess(x, zero, L.Broadcast(float.NaN), L.Broadcast(float.NegativeInfinity));
        result = L.IfLess(zero, x, result, L.IfLess(x, L.Broadcast(float.Epsilon), atMostZero, x));
        return L.IfLess(x, L.Broadcast(float.PositiveInfinity), result, x);
    }

    // x = n·ln 2 + r with |r| ≤ ln(2)/2.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Reduce<L, V>(V x, out V n)
        where L : struct, ILanes<V>
        where V : struct
    {
        V rounder = L.Broadcast(Rounder);
        n = L.Subtract(L.Fma(x, L.Broadcast(OneOverLn2), rounder), rounder);
        return L.Fma(n, L.Broadcast(-Ln2Low), L.Fma(n, L.Broadcast(-Ln2High), x));
    }

    // eʳ - 1 = r + r²·(1/2! + r/3! + … + r⁵/7!); the next term is below 6·10⁻⁹.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V ExpMinusOneNearZero<L, V>(V r)
        where L : struct, ILanes<V>
        where V : struct
    {
        V series = L.Broadcast(1f / 5040);
        series = L.Fma(series, r, L.Broadcast(1f / 720));
        series = L.Fma(series, r, L.Broadcast(1f / 120));
        series = L.Fma(series, r, L.Broadcast(1f / 24));
        series = L.Fma(series, r, L.Broadcast(1f / 6));
        series = L.Fma(series, r, L.Broadcast(1f / 2));
        return L.Fma(L.Multiply(r, r), series, r);
    }

    // scale·2ᶠ for |f| ≤ ½, within 9.6·10⁻⁸ of itself (Remez's best of the fifth degree that is 1 at 0, coefficients rounded); scale is 1 or 2, with either sign.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Power<L, V>(V f, float scale)
        where L : struct, ILanes<V>
        where V : struct
    {
        V p = L.Fma(L.Broadcast(scale * 0.0013264593435451388f), f, L.Broadcast(scale * 0.009671478532254696f));
        p = L.Fma(p, f, L.Broadcast(scale * 0.05550719425082207f));
        p = L.Fma(p, f, L.Broadcast(scale * 0.24022243916988373f));
        p = L.Fma(p, f, L.Broadcast(scale * 0.6931470036506653f));
        return L.Fma(p, f, L.Broadcast(scale));
    }

    // 1 / (1 - m·p): the denominator d, as -d, which needs no negation; a rough r; then with e = 1 - d·r
    // r + r·(e + e²), which leaves e³ = 1.3·10⁻⁴, and r + r·e, which leaves its square.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V OneOverOneAnd<L, V>(V m, V p)
        where L : struct, ILanes<V>
        where V : struct
    {
        V one = L.Broadcast(1f);
        V d = L.Fma(m, p, L.Broadcast(-1f));
        V r = L.RoughMinusOneOver(d);
        V e = L.Fma(d, r, one);
        r = L.Fma(r, L.Fma(e, e, e), r);
        return L.Fma(r, L.Fma(d, r, one), r);
    }
}
