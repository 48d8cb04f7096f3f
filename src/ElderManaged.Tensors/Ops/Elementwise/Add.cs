using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>a + b, element by element; both of the same shape.</summary>
    public static Tensor Add(Tensor a, Tensor b)
    {
        RequireSameShape(a, b);
        Tensor y = Tape.NewTensor(a.Shape);
        TensorPrimitives.Add(a.Span, b.Span, y.Span);
        return !Tape.Wants(a, b)
            ? y
            : GradNode.Record("Add", y, (a, b), static (s, y) =>
            {
                // d(a + b) = da + db
                Accumulate(s.a, y.Grad!);
                Accumulate(s.b, y.Grad!);
            });
    }

    /// <summary>dx += dy, if a gradient is wanted.</summary>
    internal static void Accumulate(Tensor x, Tensor dy)
    {
        if (Tape.Wants(x))
        {
            Span<float> dx = x.GradSink().Span;
            TensorPrimitives.Add(dx, dy.Span, dx);
        }
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Add"/>.</summary>
internal static class AddPlain
{
    public static double[] Forward(double[] a, double[] b) => a.Zip(b, (x, y) => x + y).ToArray();

    public static (double[] Da, double[] Db) Backward(double[] dy) => (dy.ToArray(), dy.ToArray());
}
