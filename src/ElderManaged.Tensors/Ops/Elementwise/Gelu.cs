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
        Unary<GeluFormula>.Value(x, y);
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Gelu", y, x, static (x, y) =>
            {
                Unary<GeluFormula>.Backward(x, y.Grad!);
            });
    }
}

/// <summary>Value and slope of <see cref="Op.Gelu"/>.</summary>
internal readonly struct GeluFormula : IUnaryFormula
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
