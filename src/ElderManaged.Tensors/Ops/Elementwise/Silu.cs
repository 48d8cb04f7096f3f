using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The sigmoid linear unit x·σ(x), element by element; also called Swish.</summary>
    /// <remarks>Hendrycks and Gimpel 2016, arXiv:1606.08415v5, section 2; Ramachandran, Zoph and Le 2017, arXiv:1710.05941v2.</remarks>
    public static Tensor Silu(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        RowBlocks.Run(x.Length, 1, (x, y), static (s, block) =>
        {
            ReadOnlySpan<float> x = block.Of(s.x);
            Span<float> y = block.Of(s.y);
            for (int i = 0; i < x.Length; i += 16)
            {
                Lanes16.Store(SiluFormula.Value(Lanes16.Load(x, i)), y, i);
            }
        });
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Silu", y, x, static (x, y) =>
                RowBlocks.Run(x.Length, 1, (x, dy: y.Grad!, dx: x.GradSink()), static (s, block) =>
                {
                    ReadOnlySpan<float> x = block.Of(s.x);
                    ReadOnlySpan<float> dy = block.Of(s.dy);
                    Span<float> dx = block.Of(s.dx);
                    for (int i = 0; i < x.Length; i += 16)
                    {
                        Lanes16.Store(Lanes16.Load(dx, i) + (Lanes16.Load(dy, i) * SiluFormula.Slope(Lanes16.Load(x, i))), dx, i);
                    }
                }));
    }

    /// <summary>silu(gate) · up, element by element: the SwiGLU part of a feed-forward layer.</summary>
    /// <param name="gate">What passes through x·σ(x).</param>
    /// <param name="up">What is gated; the same shape.</param>
    /// <remarks>Shazeer 2020, "GLU Variants Improve Transformer", equation 6, arXiv:2002.05202v1.</remarks>
    public static Tensor SiluGate(Tensor gate, Tensor up)
    {
        RequireSameShape(gate, up);
        Tensor y = Tape.NewTensor(gate.Shape);
        RowBlocks.Run(gate.Length, 1, (gate, up, y), static (s, block) =>
        {
            ReadOnlySpan<float> gate = block.Of(s.gate);
            ReadOnlySpan<float> up = block.Of(s.up);
            Span<float> y = block.Of(s.y);
            for (int i = 0; i < gate.Length; i += 16)
            {
                Lanes16.Store(SiluFormula.Value(Lanes16.Load(gate, i)) * Lanes16.Load(up, i), y, i);
            }
        });
        return !Tape.Wants(gate, up)
            ? y
            : GradNode.Record("SiluGate", y, (gate, up), static (s, y) =>
            {
                Tensor? dgate = Tape.Wants(s.gate) ? s.gate.GradSink() : null;
                Tensor? dup = Tape.Wants(s.up) ? s.up.GradSink() : null;
                RowBlocks.Run(y.Length, 1, (s.gate, s.up, dy: y.Grad!, dgate, dup), static (s, block) =>
                {
                    ReadOnlySpan<float> gate = block.Of(s.gate);
                    ReadOnlySpan<float> dy = block.Of(s.dy);
                    if (s.dgate is not null)
                    {
                        ReadOnlySpan<float> up = block.Of(s.up);
                        Span<float> dgate = block.Of(s.dgate);
                        for (int i = 0; i < gate.Length; i += 16)
                        {
                            Vector512<float> slope = SiluFormula.Slope(Lanes16.Load(gate, i)) * Lanes16.Load(up, i);
                            Lanes16.Store(Lanes16.Load(dgate, i) + (Lanes16.Load(dy, i) * slope), dgate, i);
                        }
                    }

                    if (s.dup is not null)
                    {
                        Span<float> dup = block.Of(s.dup);
                        for (int i = 0; i < gate.Length; i += 16)
                        {
                            Vector512<float> slope = SiluFormula.Value(Lanes16.Load(gate, i));
                            Lanes16.Store(Lanes16.Load(dup, i) + (Lanes16.Load(dy, i) * slope), dup, i);
                        }
                    }
                });
            });
    }
}

/// <summary>Value and slope of <see cref="Op.Silu"/>.</summary>
internal static class SiluFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Value(Vector512<float> x) => x * Sigmoid(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Slope(Vector512<float> x)
    {
        // Beyond ±100 the sigmoid is 0 or 1 to the last bit; the bound keeps 0·∞ away.
        Vector512<float> b = Vector512.Min(Vector512.Max(x, Vector512.Create(-100f)), Vector512.Create(100f));
        Vector512<float> sigmoid = Sigmoid(b);
        return sigmoid + (b * sigmoid * (Vector512<float>.One - sigmoid));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Vector512.Exp(-x));
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
