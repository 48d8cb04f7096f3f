using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The sigmoid linear unit x·σ(x), element by element; also called Swish.</summary>
    /// <remarks>Hendrycks and Gimpel 2016, arXiv:1606.08415v5, section 2; Ramachandran, Zoph and Le 2017, arXiv:1710.05941v2.</remarks>
    public static Tensor Silu(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        Unary<SiluFormula, SiluFormula>.Value(x, y);
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Silu", y, x, static (x, y) => Unary<SiluFormula, SiluFormula>.Backward(x, y.Grad!));
    }

    /// <summary>silu(gate) · up, element by element: the SwiGLU part of a feed-forward layer.</summary>
    /// <param name="gate">What passes through x·σ(x).</param>
    /// <param name="up">What is gated; the same shape.</param>
    /// <remarks>Shazeer 2020, "GLU Variants Improve Transformer", equation 6, arXiv:2002.05202v1.</remarks>
    public static Tensor SiluGate(Tensor gate, Tensor up)
    {
        RequireSameShape(gate, up);
        Tensor y = Tape.NewTensor(gate.Shape);
        Binary<SiluGateFormula>.Value(gate, up, y);
        return !Tape.Wants(gate, up)
            ? y
            : GradNode.Record("SiluGate", y, (gate, up), static (s, y) => Binary<SiluGateFormula>.Backward(s.gate, s.up, y.Grad!));
    }
}

/// <summary>Value and slope of <see cref="Op.Silu"/>.</summary>
internal readonly struct SiluFormula : IUnaryGpuFormula
{
    // Beyond ±85 the sigmoid is 1 to the last bit, or below 10⁻³⁶, which counts as 0.
    private const float Far = 85;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
    {
        x = Num<L, V>.WithoutSmallest(x);
        return Num<L, V>.IfLess(x, -Far, 0f, x * Num<L, V>.Gate(Near(x)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Slope<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
    {
        ValueAndSlope(x, out _, out Num<L, V> slope);
        return slope;
    }

    /// <summary>Both with one sigmoid, and the bits of each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ValueAndSlope<L, V>(Num<L, V> x, out Num<L, V> value, out Num<L, V> slope)
        where L : struct, ILanes<V>
        where V : struct
    {
        x = Num<L, V>.WithoutSmallest(x);
        Num<L, V> near = Near(x);
        Num<L, V> sigmoid = Num<L, V>.Gate(near);
        value = Num<L, V>.IfLess(x, -Far, 0f, x * sigmoid);
        slope = Num<L, V>.IfLess(x, -Far, 0f, Num<L, V>.Fma(near * sigmoid, 1f - sigmoid, sigmoid));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Num<L, V> Near<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
        => Num<L, V>.Max(-Far, Num<L, V>.Min(Far, x));
}

/// <summary>Value and slopes of <see cref="Op.SiluGate"/>.</summary>
internal readonly struct SiluGateFormula : IBinaryFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> gate, Num<L, V> up)
        where L : struct, ILanes<V>
        where V : struct
        => SiluFormula.Value(gate) * up;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeA<L, V>(Num<L, V> gate, Num<L, V> up)
        where L : struct, ILanes<V>
        where V : struct
        => SiluFormula.Slope(gate) * up;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> SlopeB<L, V>(Num<L, V> gate, Num<L, V> up)
        where L : struct, ILanes<V>
        where V : struct
        => SiluFormula.Value(gate);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Slopes<L, V>(Num<L, V> gate, Num<L, V> up, out Num<L, V> slopeGate, out Num<L, V> slopeUp)
        where L : struct, ILanes<V>
        where V : struct
    {
        SiluFormula.ValueAndSlope(gate, out slopeUp, out Num<L, V> slope);
        slopeGate = slope * up;
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Silu"/> and <see cref="Op.SiluGate"/>.</summary>
internal static class SiluPlain
{
    public static double[] Forward(double[] x) => x.Select(v => v / (1 + Math.Exp(-v))).ToArray();

    public static double[] Backward(double[] x, double[] dy) => x.Zip(dy, (v, d) =>
    {
        double sigmoid = 1 / (1 + Math.Exp(-v));
        return d * (sigmoid + (v * sigmoid * (1 - sigmoid)));
    }).ToArray();

    public static double[] GateForward(double[] gate, double[] up) => Forward(gate).Zip(up, (g, u) => g * u).ToArray();

    public static (double[] Dgate, double[] Dup) GateBackward(double[] gate, double[] up, double[] dy) =>
        (Backward(gate, dy.Zip(up, (d, u) => d * u).ToArray()), Forward(gate).Zip(dy, (g, d) => g * d).ToArray());
}
