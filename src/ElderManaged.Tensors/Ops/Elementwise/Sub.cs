using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>a − b, element by element; both of the same shape.</summary>
    public static Tensor Sub(Tensor a, Tensor b)
    {
        RequireSameShape(a, b);
        Tensor y = Tape.NewTensor(a.Shape);
        if (GpuFeature.IsSupported && (a.Gpu ?? b.Gpu) is { } gpu)
        {
            GpuElementwise.Map<SubFormula>(gpu, a, b, y);
        }
        else
        {
            RowBlocks.Run(a.Length, 1, (a, b, y), static (s, block) =>
                TensorPrimitives.Subtract(block.Of(s.a), block.Of(s.b), block.Of(s.y)));
        }

        return !Tape.Wants(a, b)
            ? y
            : GradNode.Record("Sub", y, (a, b), static (s, y) =>
            {
                // d(a − b) = da − db
                Accumulate(s.a, y.Grad!);
                Accumulate(s.b, y.Grad!, -1);
            });
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Sub"/>.</summary>
internal static class SubPlain
{
    public static double[] Forward(double[] a, double[] b) => a.Zip(b, (x, y) => x - y).ToArray();

    public static (double[] Da, double[] Db) Backward(double[] dy) => (dy.ToArray(), dy.Select(d => -d).ToArray());
}
