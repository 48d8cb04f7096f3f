using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>a + b as a formula, for devices that have no vector primitives.</summary>
internal readonly struct AddFormula : IBinaryFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeA<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => 1f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeB<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => 1f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Slopes<L, V>(Num<L, V> a, Num<L, V> b, out Num<L, V> slopeA, out Num<L, V> slopeB)
        where L : struct, ILanes<V>
        where V : struct
    {
        slopeA = 1f;
        slopeB = 1f;
    }
}

/// <summary>a − b as a formula.</summary>
internal readonly struct SubFormula : IBinaryFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeA<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => 1f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeB<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => -1f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Slopes<L, V>(Num<L, V> a, Num<L, V> b, out Num<L, V> slopeA, out Num<L, V> slopeB)
        where L : struct, ILanes<V>
        where V : struct
    {
        slopeA = 1f;
        slopeB = -1f;
    }
}

/// <summary>a · b as a formula.</summary>
internal readonly struct MulFormula : IBinaryFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeA<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeB<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct
        => a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Slopes<L, V>(Num<L, V> a, Num<L, V> b, out Num<L, V> slopeA, out Num<L, V> slopeB)
        where L : struct, ILanes<V>
        where V : struct
    {
        slopeA = b;
        slopeB = a;
    }
}
