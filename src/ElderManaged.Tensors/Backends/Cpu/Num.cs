using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>One number, or a register full of them: what elementwise formulas are written in. Reads like a float.</summary>
/// <typeparam name="L">The lanes, see <see cref="ILanes{TVector}"/>.</typeparam>
/// <typeparam name="V">The register.</typeparam>
internal readonly struct Num<L, V>(V value)
    where L : struct, ILanes<V>
    where V : struct
{
    public readonly V Value = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static implicit operator Num<L, V>(float value) => new(L.Broadcast(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> operator +(Num<L, V> a, Num<L, V> b) => new(L.Add(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> operator -(Num<L, V> a, Num<L, V> b) => new(L.Subtract(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> operator *(Num<L, V> a, Num<L, V> b) => new(L.Multiply(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> operator /(Num<L, V> a, Num<L, V> b) => new(L.Divide(a.Value, b.Value));

    /// <summary>a·b + c with one rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Fma(Num<L, V> a, Num<L, V> b, Num<L, V> c) => new(L.Fma(a.Value, b.Value, c.Value));

    /// <summary><paramref name="then"/> where a &lt; b, else <paramref name="otherwise"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> IfLess(Num<L, V> a, Num<L, V> b, Num<L, V> then, Num<L, V> otherwise)
        => new(L.IfLess(a.Value, b.Value, then.Value, otherwise.Value));

    /// <summary>The larger one; not a number when <paramref name="b"/> is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Max(Num<L, V> a, Num<L, V> b) => new(L.Max(a.Value, b.Value));

    /// <summary>The smaller one; not a number when <paramref name="b"/> is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Min(Num<L, V> a, Num<L, V> b) => new(L.Min(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Log(Num<L, V> a) => new(SimdMath.Log<L, V>(a.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Sigmoid(Num<L, V> a) => new(SimdMath.Sigmoid<L, V>(a.Value));

    /// <summary>As <see cref="Sigmoid"/>, but for |a| ≤ 86 only, and without a division.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Gate(Num<L, V> a) => new(SimdMath.Gate<L, V>(a.Value));

    /// <summary>1 / (1 + 2^(a·q)), for |a·q| ≤ 124.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Gate(Num<L, V> a, Num<L, V> q) => new(SimdMath.Gate<L, V>(a.Value, q.Value));

    /// <summary>a, but 0 instead of numbers near the subnormal range, which processors are slow with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> WithoutSmallest(Num<L, V> a) => new(L.WithoutSmallest(a.Value));

    /// <summary>The size of <paramref name="a"/>, with the sign of <paramref name="sign"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> CopySign(Num<L, V> a, Num<L, V> sign) => new(L.CopySign(a.Value, sign.Value));
}
