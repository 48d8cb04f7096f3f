using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>a + b, element by element; both of the same shape.</summary>
    public static Tensor Add(Tensor a, Tensor b)
    {
        RequireSameShape(a, b);
        Tensor y = Tape.NewTensor(a.Shape);
        if (GpuFeature.IsSupported && (a.Gpu ?? b.Gpu) is { } gpu)
        {
            GpuElementwise.Map<AddFormula>(gpu, a, b, y);
        }
        else
        {
            RowBlocks.Run(a.Length, 1, (a, b, y), static (s, block) =>
                TensorPrimitives.Add(block.Of(s.a), block.Of(s.b), block.Of(s.y)));
        }

        return !Tape.Wants(a, b)
            ? y
            : GradNode.Record("Add", y, (a, b), static (s, y) =>
            {
                // d(a + b) = da + db
                Accumulate(s.a, y.Grad!);
                Accumulate(s.b, y.Grad!);
            });
    }

    /// <summary>dx += dy, if a gradient is wanted. Where that is the first contribution, dx and dy share one memory: no pass at all.</summary>
    internal static void Accumulate(Tensor x, Tensor dy)
    {
        if (!Tape.Wants(x) || x.TryShareGradient(dy))
        {
            return;
        }

        Tensor dx = x.GradSink(out bool fresh);
        if (GpuFeature.IsSupported && (x.Gpu ?? dy.Gpu) is { } gpu)
        {
            GpuElementwise.AddScaled(gpu, dy, 1, dx, fresh);
            return;
        }

        RowBlocks.Run(x.Length, 1, (dx, dy, fresh), static (s, block) =>
        {
            if (s.fresh)
            {
                block.Of(s.dy).CopyTo(block.Of(s.dx));
            }
            else
            {
                TensorPrimitives.Add(block.Of(s.dx), block.Of(s.dy), block.Of(s.dx));
            }
        });
    }

    /// <summary>dx += factor · dy, if a gradient is wanted.</summary>
    internal static void Accumulate(Tensor x, Tensor dy, float factor)
    {
        if (Tape.Wants(x))
        {
            Tensor dx = x.GradSink(out bool fresh);
            if (GpuFeature.IsSupported && (x.Gpu ?? dy.Gpu) is { } gpu)
            {
                GpuElementwise.AddScaled(gpu, dy, factor, dx, fresh);
                return;
            }

            RowBlocks.Run(x.Length, 1, (dx, dy, factor, fresh), static (s, block) =>
            {
                if (s.fresh)
                {
                    TensorPrimitives.Multiply(block.Of(s.dy), s.factor, block.Of(s.dx));
                }
                else
                {
                    TensorPrimitives.FusedMultiplyAdd(block.Of(s.dy), s.factor, block.Of(s.dx), block.Of(s.dx));
                }
            });
        }
    }

    /// <summary>dx += dy · factor, element by element, if a gradient is wanted.</summary>
    internal static void Accumulate(Tensor x, Tensor dy, Tensor factor)
    {
        if (Tape.Wants(x))
        {
            Tensor dx = x.GradSink(out bool fresh);
            if (GpuFeature.IsSupported && (x.Gpu ?? dy.Gpu) is { } gpu)
            {
                GpuElementwise.AddProduct(gpu, dy, factor, dx, fresh);
                return;
            }

            RowBlocks.Run(x.Length, 1, (dx, dy, factor, fresh), static (s, block) =>
            {
                if (s.fresh)
                {
                    TensorPrimitives.Multiply(block.Of(s.dy), block.Of(s.factor), block.Of(s.dx));
                }
                else
                {
                    TensorPrimitives.FusedMultiplyAdd(block.Of(s.dy), block.Of(s.factor), block.Of(s.dx), block.Of(s.dx));
                }
            });
        }
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Add"/>.</summary>
internal static class AddPlain
{
    public static double[] Forward(double[] a, double[] b) => a.Zip(b, (x, y) => x + y).ToArray();

    public static (double[] Da, double[] Db) Backward(double[] dy) => (dy.ToArray(), dy.ToArray());
}
