using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>factor · x, with a factor that takes no gradient.</summary>
    public static Tensor Scale(Tensor x, float factor)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            GpuElementwise.AddScaled(gpu, x, factor, y, fresh: true);
        }
        else
        {
            RowBlocks.Run(x.Length, 1, (x, factor, y), static (s, block) =>
                TensorPrimitives.Multiply(block.Of(s.x), s.factor, block.Of(s.y)));
        }

        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Scale", y, (x, factor), static (s, y) => Accumulate(s.x, y.Grad!, s.factor));
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Scale"/>.</summary>
internal static class ScalePlain
{
    public static double[] Forward(double[] x, double factor) => x.Select(v => v * factor).ToArray();

    public static double[] Backward(double[] dy, double factor) => dy.Select(d => d * factor).ToArray();
}
