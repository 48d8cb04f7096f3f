using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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
        RowBlocks.Run(x.Length, 1, (x, y), static (s, block) =>
            GeluFormula.Values(s.x.Span.Slice(block.First, block.Count), s.y.Span.Slice(block.First, block.Count)));
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Gelu", y, x, static (x, y) =>
                RowBlocks.Run(x.Length, 1, (x, dy: y.Grad!, dx: x.GradSink()), static (s, block) =>
                    GeluFormula.AddGradients(
                        s.x.Span.Slice(block.First, block.Count),
                        s.dy.Span.Slice(block.First, block.Count),
                        s.dx.Span.Slice(block.First, block.Count))));
    }
}

/// <summary>Value and slope of <see cref="Op.Gelu"/>.</summary>
internal static class GeluFormula
{
    private const float TwiceRoot = 1.5957691216057308f; // 2·√(2/π)
    private const float Cubic = 0.044715f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Value(Vector512<float> x) => x * Gate(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Slope(Vector512<float> x)
    {
        // Beyond ±16 the gate is 0 or 1 to the last bit; the bound keeps 0·∞ away.
        Vector512<float> b = Vector512.Min(Vector512.Max(x, Vector512.Create(-16f)), Vector512.Create(16f));
        Vector512<float> gate = Gate(b);
        Vector512<float> twoU = TwiceRoot * Vector512.FusedMultiplyAdd(b * b, Vector512.Create(3 * Cubic), Vector512<float>.One);
        return Vector512.FusedMultiplyAdd(b * gate * (Vector512<float>.One - gate), twoU, gate);
    }

    public static void Values(ReadOnlySpan<float> x, Span<float> y)
    {
        for (int i = 0; i < x.Length; i += 16)
        {
            Lanes16.Store(Value(Lanes16.Load(x, i)), y, i);
        }
    }

    public static void AddGradients(ReadOnlySpan<float> x, ReadOnlySpan<float> dy, Span<float> dx)
    {
        for (int i = 0; i < x.Length; i += 16)
        {
            Vector512<float> slope = Slope(Lanes16.Load(x, i));
            Lanes16.Store(Vector512.FusedMultiplyAdd(slope, Lanes16.Load(dy, i), Lanes16.Load(dx, i)), dx, i);
        }
    }

    /// <summary>σ(2u).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Gate(Vector512<float> x)
    {
        Vector512<float> twoU = TwiceRoot * x * Vector512.FusedMultiplyAdd(x * x, Vector512.Create(Cubic), Vector512<float>.One);
        return Vector512<float>.One / (Vector512<float>.One + Vector512.Exp(-twoU));
    }
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
