using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>Four neighbouring numbers: what one load or store of 128 bits moves, and four columns of C in a thread's registers.</summary>
/// <remarks>
/// A kernel has no arrays in registers, so a thread's part of C is a structure of structures, which compiles to as many
/// registers: <see cref="Four"/> or <see cref="Eight"/> columns, and four rows of them (<see cref="GemmSums{TRow}"/>), once or twice.
/// </remarks>
internal struct Four : IGemmRow<Four>
{
    public float X, Y, Z, W;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Four(float x, float y, float z, float w) => (X, Y, Z, W) = (x, y, z, w);

    public static int Width => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four MultiplyAdd(float a, Four b, Four s) =>
        new(GpuMath.Fma(a, b.X, s.X), GpuMath.Fma(a, b.Y, s.Y), GpuMath.Fma(a, b.Z, s.Z), GpuMath.Fma(a, b.W, s.W));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four Add(Four a, Four b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z, a.W + b.W);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four Load(ArrayView<Four> slice, int at, int half) => slice[at];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Four sums, GemmArguments a, int batch, int row, int column, int half)
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
        ArrayView<Four> c = a.C.Fours();
        int at = ((batch * a.BatchC) + (row * a.N) + column) >> 2;
        if (a.HasBias != 0)
        {
            sums = Add(sums, a.Bias.Fours()[column >> 2]);
        }

        if (a.Accumulate != 0)
        {
            sums = Add(sums, c[at]);
        }

        c[at] = sums;
    }
}

/// <summary>Memory four numbers at a time. The compiler is told that it is aligned, and then loads and stores 128 bits at once.</summary>
internal static class FourViews
{
    /// <summary>Bytes of four numbers, and the alignment that is needed.</summary>
    public const int Bytes = 4 * sizeof(float);

    /// <summary>A view whose start is aligned, see <see cref="StartsAtFour"/>; what is left over at its end is left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ArrayView<Four> Fours(this ArrayView<float> numbers) => numbers.Cast<Four>().AsAligned(Bytes);

    /// <inheritdoc cref="Fours(ArrayView{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ArrayView<Four> Fours(this ArrayView<uint> words) => words.Cast<Four>().AsAligned(Bytes);

    /// <summary>Whether a view begins at a multiple of four numbers of its memory, which itself begins at a multiple of 256 bytes.</summary>
    public static bool StartsAtFour(this ArrayView<float> numbers) => IndexOf(numbers) % 4 == 0;

    private static long IndexOf<TView>(TView view)
        where TView : IContiguousArrayView => view.Index;
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
    public Four Low, High;

    public static int Width => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight MultiplyAdd(float a, Eight b, Eight s) => new() { Low = Four.MultiplyAdd(a, b.Low, s.Low), High = Four.MultiplyAdd(a, b.High, s.High) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Add(Eight a, Eight b) => new() { Low = Four.Add(a.Low, b.Low), High = Four.Add(a.High, b.High) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<Four> slice, int at, int half) => new() { Low = slice[at], High = slice[at + (half >> 2)] };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Eight sums, GemmArguments a, int batch, int row, int column, int half)
    {
        Four.Store(sums.Low, a, batch, row, column, half);
        Four.Store(sums.High, a, batch, row, column + half, half);
    }
}

/// <summary>A thread's columns of one row of C.</summary>
internal interface IGemmRow<TSelf>
    where TSelf : struct, IGemmRow<TSelf>
{
    static abstract int Width { get; }

    /// <summary>a·b + s, fused.</summary>
    static abstract TSelf MultiplyAdd(float a, TSelf b, TSelf s);

    static abstract TSelf Add(TSelf a, TSelf b);

    /// <summary>From shared memory; <paramref name="half"/> is half of the tile's columns.</summary>
    static abstract TSelf Load(ArrayView<Four> slice, int at, int half);

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
    public static GemmSums<TRow> MultiplyAdd(Four a, TRow b, GemmSums<TRow> s) => new()
    {
        R0 = TRow.MultiplyAdd(a.X, b, s.R0),
        R1 = TRow.MultiplyAdd(a.Y, b, s.R1),
        R2 = TRow.MultiplyAdd(a.Z, b, s.R2),
        R3 = TRow.MultiplyAdd(a.W, b, s.R3),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmSums<TRow> Add(GemmSums<TRow> a, GemmSums<TRow> b) => new()
    {
        R0 = TRow.Add(a.R0, b.R0),
        R1 = TRow.Add(a.R1, b.R1),
        R2 = TRow.Add(a.R2, b.R2),
        R3 = TRow.Add(a.R3, b.R3),
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
