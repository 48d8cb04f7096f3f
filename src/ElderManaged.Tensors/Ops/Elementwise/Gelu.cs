using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// The Gaussian error linear unit in its tanh form, ½·x·(1 + tanh u) = x·σ(2u) with u = √(2/π)·(x + 0.044715·x³), element by element.
    /// </summary>
    /// <remarks>Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2, arXiv:1606.08415v5; GPT-2's <c>gelu_new</c>.</remarks>
    public static Tensor Gelu(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        Unary<GeluPieces, GeluFormula>.Value(x, y);
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Gelu", y, x, static (x, y) =>
            {
                Unary<GeluPieces, GeluFormula>.Backward(x, y.Grad!);
            });
    }
}

/// <summary>
/// Value and slope of <see cref="Op.Gelu"/> as the processor computes them: max(x, 0) − b(|x|) with the bump b(a) = a·σ(−2u(a)), which is
/// ½·a near 0, at most 0.17, and nothing beyond 5.9. Within 4·10⁻⁸, or the value's own rounding.
/// </summary>
internal readonly unsafe struct GeluPieces : IUnaryFormula
{
    private const double Cubic = 0.044715;

    // The bump's coefficients, then its slope's. A static constructor would make every turn of the loops ask whether it has run.
    private static nint s_pieces;

    public static void Prepare()
    {
        if (Volatile.Read(ref s_pieces) == 0)
        {
            // Two threads may do this at once: they compute the same.
            float* pieces = Pieces.Allocate(functions: 2);
            Pieces.Fill(pieces, a => a * Gate(a));
            Pieces.Fill(pieces + Pieces.Length, a => Gate(a) - (a * Gate(a) * (1 - Gate(a)) * TwiceRoot * (1 + (3 * Cubic * a * a))));
            Volatile.Write(ref s_pieces, (nint)pieces);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
    {
        x = Num<L, V>.WithoutSmallest(x);
        return Num<L, V>.Max(0f, x) - new Num<L, V>(Pieces.At<L, V>((float*)s_pieces, Num<L, V>.CopySign(x, 1f).Value));
    }

    // ½ + (½ − b′(|x|)) with the sign of x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Slope<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
    {
        x = Num<L, V>.WithoutSmallest(x);
        Num<L, V> half = 0.5f;
        return half + Num<L, V>.CopySign(half - new Num<L, V>(Pieces.At<L, V>((float*)s_pieces + Pieces.Length, Num<L, V>.CopySign(x, 1f).Value)), x);
    }

    // σ(−2u)
    private static double Gate(double a) => 1 / (1 + Math.Exp(TwiceRoot * (a + (Cubic * a * a * a))));

    private static double TwiceRoot => 2 * Math.Sqrt(2 / Math.PI);
}

/// <summary>Value and slope of <see cref="Op.Gelu"/> as a GPU computes them.</summary>
internal readonly struct GeluFormula : IUnaryGpuFormula
{
    // σ(2u) = 1 / (1 + 2^(x·q)), q = x²·Bent + Straight: -2·√(2/π)·log₂e, and that times 0.044715.
    private const float Straight = -2.3022082f;
    private const float Bent = -0.102943242f;
    private const float TwiceRoot = 1.5957691216057308f; // 2·√(2/π)
    private const float Cubic = 0.044715f;

    // Beyond ±9.9 the gate is 1 to the last bit, or below 10⁻³⁶, which counts as 0.
    private const float Far = 9.9f;

    // Keeps squares of tiny numbers, which add nothing, from getting subnormal.
    private const float Tiny = 1e-30f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
    {
        x = Num<L, V>.WithoutSmallest(x);
        Num<L, V> near = Near(x);
        return Num<L, V>.IfLess(x, -Far, 0f, x * Gate(near, Square(near)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Slope<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
    {
        x = Num<L, V>.WithoutSmallest(x);
        Num<L, V> near = Near(x);
        Num<L, V> square = Square(near);
        Num<L, V> gate = Gate(near, square);
        Num<L, V> slopeOfTwoU = Num<L, V>.Fma(square, 3 * TwiceRoot * Cubic, TwiceRoot);
        return Num<L, V>.IfLess(x, -Far, 0f, Num<L, V>.Fma(near * gate * (1f - gate), slopeOfTwoU, gate));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Num<L, V> Near<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
        => Num<L, V>.Max(-Far, Num<L, V>.Min(Far, x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Num<L, V> Square<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
        => Num<L, V>.Fma(x, x, Tiny);

    /// <summary>σ(2u).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Num<L, V> Gate<L, V>(Num<L, V> x, Num<L, V> square)
        where L : struct, ILanes<V>
        where V : struct
        => Num<L, V>.Gate(x, Num<L, V>.Fma(square, Bent, Straight));
}

/// <summary>The plain double-precision twin of <see cref="Op.Gelu"/>.</summary>
internal static class GeluPlain
{
    private static readonly double Root = Math.Sqrt(2 / Math.PI);

    public static double[] Forward(double[] x) =>
        x.Select(v => 0.5 * v * (1 + Math.Tanh(Root * (v + (0.044715 * v * v * v))))).ToArray();

    public static double[] Backward(double[] x, double[] dy) => x.Zip(dy, (v, d) =>
    {
        double tanh = Math.Tanh(Root * (v + (0.044715 * v * v * v)));
        return d * ((0.5 * (1 + tanh)) + (0.5 * v * (1 - (tanh * tanh)) * Root * (1 + (3 * 0.044715 * v * v))));
    }).ToArray();
}
