using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>
/// Four floats that a thread of a GPU reads or writes at once: one 128-bit access instead of four, where the address is a multiple
/// of 16 bytes.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal partial struct Float4
{
    /// <summary>Its size, and the alignment that memory of it needs.</summary>
    public const int Bytes = 4 * sizeof(float);

    public float X, Y, Z, W;

    public Float4(float x, float y, float z, float w) => (X, Y, Z, W) = (x, y, z, w);

    public static Float4 operator +(Float4 a, Float4 b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z, a.W + b.W);

    public static Float4 operator -(Float4 a, Float4 b) => new(a.X - b.X, a.Y - b.Y, a.Z - b.Z, a.W - b.W);

    public static Float4 operator *(Float4 a, Float4 b) => new(a.X * b.X, a.Y * b.Y, a.Z * b.Z, a.W * b.W);

    public static Float4 operator *(Float4 a, float b) => new(a.X * b, a.Y * b, a.Z * b, a.W * b);

    /// <summary>a·b + sum.</summary>
    public static Float4 Fma(float a, Float4 b, Float4 sum) =>
        new(GpuMath.Fma(a, b.X, sum.X), GpuMath.Fma(a, b.Y, sum.Y), GpuMath.Fma(a, b.Z, sum.Z), GpuMath.Fma(a, b.W, sum.W));

    /// <summary>The larger of each two; b's where a's is not a number.</summary>
    public static Float4 Max(Float4 a, Float4 b) =>
        new(b.X <= a.X ? a.X : b.X, b.Y <= a.Y ? a.Y : b.Y, b.Z <= a.Z ? a.Z : b.Z, b.W <= a.W ? a.W : b.W);

    /// <summary>eᵃ.</summary>
    public static Float4 Exp(Float4 a) => new(XMath.Exp(a.X), XMath.Exp(a.Y), XMath.Exp(a.Z), XMath.Exp(a.W));

    /// <summary>Four numbers of a row, of which <paramref name="left"/> are left; zeros behind them.</summary>
    /// <param name="from">Where the row lies.</param>
    /// <param name="at">The first of the four.</param>
    /// <param name="left">The numbers of the row from there on; none or less is allowed.</param>
    /// <param name="aligned">Not 0 where every row begins at a multiple of four numbers and is as long.</param>
    public static Float4 LoadRow(ArrayView<float> from, long at, int left, int aligned)
    {
        if (aligned != 0)
        {
            return left > 0 ? from.Fours()[at >> 2] : default;
        }

        Float4 four = default;
        four.X = left > 0 ? from[at] : 0;
        four.Y = left > 1 ? from[at + 1] : 0;
        four.Z = left > 2 ? from[at + 2] : 0;
        four.W = left > 3 ? from[at + 3] : 0;
        return four;
    }

    /// <summary>Writes what <see cref="LoadRow"/> reads.</summary>
    public static void StoreRow(ArrayView<float> to, long at, int left, int aligned, Float4 four)
    {
        if (aligned != 0)
        {
            if (left > 0)
            {
                to.Fours()[at >> 2] = four;
            }

            return;
        }

        if (left > 0)
        {
            to[at] = four.X;
        }

        if (left > 1)
        {
            to[at + 1] = four.Y;
        }

        if (left > 2)
        {
            to[at + 2] = four.Z;
        }

        if (left > 3)
        {
            to[at + 3] = four.W;
        }
    }
}

/// <summary>Memory four numbers at a time. The compiler is told that it is aligned, and then loads and stores 128 bits at once.</summary>
internal static class FourViews
{
    /// <summary>A view whose start is aligned, see <see cref="StartsAtFour"/>; what is left over at its end is left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ArrayView<Float4> Fours(this ArrayView<float> numbers) => numbers.Cast<Float4>().AsAligned(Float4.Bytes);

    /// <inheritdoc cref="Fours(ArrayView{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ArrayView<Float4> Fours(this ArrayView<uint> words) => words.Cast<Float4>().AsAligned(Float4.Bytes);

    /// <summary>Whether a view begins at a multiple of four numbers of its memory, which itself begins at a multiple of 256 bytes.</summary>
    public static bool StartsAtFour(this ArrayView<float> numbers) => IndexOf(numbers) % 4 == 0;

    private static long IndexOf<TView>(TView view)
        where TView : IContiguousArrayView => view.Index;
}
