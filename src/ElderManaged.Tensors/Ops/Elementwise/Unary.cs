namespace ElderManaged.Tensors;

/// <summary>Runs a formula that takes an exponential, forward and backward, on the device where its input lies.</summary>
/// <typeparam name="TFormula">The formula.</typeparam>
/// <typeparam name="TOnGpu">The same function as a GPU computes it best: mostly the same formula.</typeparam>
internal static class Unary<TFormula, TOnGpu>
    where TFormula : struct, IUnaryFormula
    where TOnGpu : struct, IUnaryGpuFormula
{
    /// <summary>y = f(x).</summary>
    public static void Value(Tensor x, Tensor y)
    {
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            GpuElementwise.Map<TOnGpu>(gpu, x, y);
            return;
        }

        RowBlocks.RunOfSize(RowBlocks.BlockOfExponentials, x.Length, (x, y), static (s, block) =>
            ElementwiseDriver.Map<TFormula>(block.Of(s.x), block.Of(s.y)));
    }

    /// <summary>dx += f′(x)·dy, over dy itself where that is the first contribution: a third less memory to go through.</summary>
    public static void Backward(Tensor x, Tensor dy)
    {
        bool fresh = x.TryOverwriteGradient(dy);
        Tensor dx = fresh ? x.Grad! : x.GradSink(out fresh);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            GpuElementwise.AddSlope<TOnGpu>(gpu, x, dy, dx, fresh);
            return;
        }

        RowBlocks.RunOfSize(RowBlocks.BlockOfExponentials, x.Length, (x, dy, dx, fresh), static (s, block) =>
            ElementwiseDriver.AddSlope<TFormula>(block.Of(s.x), block.Of(s.dy), block.Of(s.dx), s.fresh));
    }
}
