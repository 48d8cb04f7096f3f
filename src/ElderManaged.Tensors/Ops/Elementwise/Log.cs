using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The natural logarithm, element by element; −∞ at 0, not a number below.</summary>
    public static Tensor Log(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        RowBlocks.Run(x.Length, 1, (x, y), static (s, block) => TensorPrimitives.Log(block.Of(s.x), block.Of(s.y)));
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Log", y, x, static (x, y) =>
                RowBlocks.Run(x.Length, 1, (x, dy: y.Grad!, dx: x.GradSink()), static (s, block) =>
                {
                    // d(log x) = dx / x
                    ReadOnlySpan<float> x = block.Of(s.x);
                    ReadOnlySpan<float> dy = block.Of(s.dy);
                    Span<float> dx = block.Of(s.dx);
                    for (int i = 0; i < x.Length; i += 16)
                    {
                        Lanes16.Store(Lanes16.Load(dx, i) + (Lanes16.Load(dy, i) / Lanes16.Load(x, i)), dx, i);
                    }
                }));
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Log"/>.</summary>
internal static class LogPlain
{
    public static double[] Forward(double[] x) => x.Select(v => Math.Log(v)).ToArray();

    public static double[] Backward(double[] x, double[] dy) => x.Zip(dy, (v, d) => d / v).ToArray();
}
