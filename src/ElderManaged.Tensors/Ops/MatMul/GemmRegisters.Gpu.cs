using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>Four columns of C in a thread's registers.</summary>
/// <remarks>
/// A kernel has no arrays in registers, so a thread's part of C is a structure of structures, which compiles to as many
/// registers: <see cref="Float4"/> or <see cref="Eight"/> columns, and four rows of them (<see cref="GemmSums{TRow}"/>), once or twice.
/// </remarks>
internal partial struct Float4 : IGemmRow<Float4>
{
    public static int Width => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float4 Load(ArrayView<Float4> slice, int at, int half) => slice[at];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Float4 sums, GemmArguments a, int batch, int row, int column, int half)
    {
        if (row >= a.M || column >= a.N)
        {
            return;
        }

        if (a.FoursC == 0)
        {
            // A loop, though each time it chooses one of four registers: sixteen times four stores written out would be most of a kernel.
            for (int i = 0; i < 4; i++)
            {
                GemmGpu.Store(a, batch, row, column + i, i < 2 ? (i == 0 ? sums.X : sums.Y) : (i == 2 ? sums.Z : sums.W));
            }

            return;
        }

        // N is a multiple of four then: all of them lie inside.
        ArrayView<Float4> c = a.C.Fours();
        int at = ((batch * a.BatchC) + (row * a.N) + column) >> 2;
        if (a.HasBias != 0)
        {
            sums += a.Bias.Fours()[column >> 2];
        }

        if (a.Accumulate != 0)
        {
            sums += c[at];
        }

        c[at] = sums;
    }
}

/// <summary>Two neighbouring numbers, for stores of 64 bits.</summary>
internal struct Two
{
    public float X, Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Two(float x, float y) => (X, Y) = (x, y);
}

/// <summary>Eight columns of C: four, and four more half a tile further on, so that neighbouring threads touch neighbouring fours.</summary>
internal struct Eight : IGemmRow<Eight>
{
    public Float4 Low, High;

    public static int Width => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Fma(float a, Eight b, Eight sum) => new() { Low = Float4.Fma(a, b.Low, sum.Low), High = Float4.Fma(a, b.High, sum.High) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight operator +(Eight a, Eight b) => new() { Low = a.Low + b.Low, High = a.High + b.High };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<Float4> slice, int at, int half) => new() { Low = slice[at], High = slice[at + (half >> 2)] };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Eight sums, GemmArguments a, int batch, int row, int column, int half)
    {
        Float4.Store(sums.Low, a, batch, row, column, half);
        Float4.Store(sums.High, a, batch, row, column + half, half);
    }
}

/// <summary>A thread's columns of one row of C.</summary>
internal interface IGemmRow<TSelf>
    where TSelf : struct, IGemmRow<TSelf>
{
    static abstract int Width { get; }

    /// <summary>a·b + sum, rounded once.</summary>
    static abstract TSelf Fma(float a, TSelf b, TSelf sum);

    static abstract TSelf operator +(TSelf a, TSelf b);

    /// <summary>From shared memory; <paramref name="half"/> is half of the tile's columns.</summary>
    static abstract TSelf Load(ArrayView<Float4> slice, int at, int half);

    /// <summary>To C, with what C and bias add.</summary>
    static abstract void Store(TSelf sums, GemmArguments a, int batch, int row, int column, int half);
}

/// <summary>A thread's columns of four rows of C.</summary>
internal struct GemmSums<TRow>
    where TRow : struct, IGemmRow<TRow>
{
    public TRow R0, R1, R2, R3;

    /// <summary>The sums with the products of four numbers of A and some of B, all of one k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmSums<TRow> MultiplyAdd(Float4 a, TRow b, GemmSums<TRow> s) => new()
    {
        R0 = TRow.Fma(a.X, b, s.R0),
        R1 = TRow.Fma(a.Y, b, s.R1),
        R2 = TRow.Fma(a.Z, b, s.R2),
        R3 = TRow.Fma(a.W, b, s.R3),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmSums<TRow> Add(GemmSums<TRow> a, GemmSums<TRow> b) => new()
    {
        R0 = a.R0 + b.R0,
        R1 = a.R1 + b.R1,
        R2 = a.R2 + b.R2,
        R3 = a.R3 + b.R3,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(GemmSums<TRow> sums, GemmArguments a, int batch, int row, int column, int half)
    {
        TRow.Store(sums.R0, a, batch, row, column, half);
        TRow.Store(sums.R1, a, batch, row + 1, column, half);
        TRow.Store(sums.R2, a, batch, row + 2, column, half);
        TRow.Store(sums.R3, a, batch, row + 3, column, half);
    }
}
