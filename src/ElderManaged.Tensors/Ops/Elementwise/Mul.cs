using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>a · b, element by element; both of the same shape.</summary>
    public static Tensor Mul(Tensor a, Tensor b)
    {
        RequireSameShape(a, b);
        Tensor y = Tape.NewTensor(a.Shape);
        if (GpuFeature.IsSupported && (a.Gpu ?? b.Gpu) is { } gpu)
        {
            GpuElementwise.Map<MulFormula>(gpu, a, b, y);
        }
        else
        {
            RowBlocks.Run(a.Length, 1, (a, b, y), static (s, block) =>
                TensorPrimitives.Multiply(block.Of(s.a), block.Of(s.b), block.Of(s.y)));
        }

        return !Tape.Wants(a, b)
            ? y
            : GradNode.Record("Mul", y, (a, b), static (s, y) =>
            {
                // d(a·b) = b·da + a·db
                Accumulate(s.a, y.Grad!, s.b);
                Accumulate(s.b, y.Grad!, s.a);
            });
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Mul"/>.</summary>
internal static class MulPlain
{
    public static double[] Forward(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).ToArray();

    public static (double[] Da, double[] Db) Backward(double[] a, double[] b, double[] dy) =>
        (dy.Zip(b, (d, y) => d * y).ToArray(), dy.Zip(a, (d, x) => d * x).ToArray());
}
