namespace ElderManaged.Tensors;

/// <summary>Runs a formula of two numbers that takes an exponential, forward and backward, on the device where its inputs lie.</summary>
internal static class Binary<TFormula>
    where TFormula : struct, IBinaryFormula
{
    /// <summary>y = f(a, b).</summary>
    public static void Value(Tensor a, Tensor b, Tensor y)
    {
        if (GpuFeature.IsSupported && (a.Gpu ?? b.Gpu) is { } gpu)
        {
            GpuElementwise.Map<TFormula>(gpu, a, b, y);
            return;
        }

        RowBlocks.RunOfSize(RowBlocks.BlockOfExponentials, a.Length, (a, b, y), static (s, block) =>
            ElementwiseDriver.Map<TFormula>(block.Of(s.a), block.Of(s.b), block.Of(s.y)));
    }

    /// <summary>da += ∂f/∂a·dy and db += ∂f/∂b·dy, each where wanted.</summary>
    public static void Backward(Tensor a, Tensor b, Tensor dy)
    {
        (bool freshA, bool freshB) = (false, false);
        Tensor? da = Tape.Wants(a) ? a.GradSink(out freshA) : null;
        Tensor? db = Tape.Wants(b) ? b.GradSink(out freshB) : null;
        if (GpuFeature.IsSupported && (a.Gpu ?? b.Gpu) is { } gpu)
        {
            GpuElementwise.AddSlopes<TFormula>(gpu, a, b, dy, da, freshA, db, freshB);
            return;
        }

        RowBlocks.RunOfSize(RowBlocks.BlockOfExponentials, a.Length, (a, b, dy, da, db, freshA, freshB), static (s, block) =>
        {
            if (s.da is not null && s.db is not null)
            {
                ElementwiseDriver.AddSlopes<TFormula>(
                    block.Of(s.a), block.Of(s.b), block.Of(s.dy), block.Of(s.da), s.freshA, block.Of(s.db), s.freshB);
            }
            else if (s.da is not null)
            {
                ElementwiseDriver.AddSlopeA<TFormula>(block.Of(s.a), block.Of(s.b), block.Of(s.dy), block.Of(s.da), s.freshA);
            }
            else if (s.db is not null)
            {
                ElementwiseDriver.AddSlopeB<TFormula>(block.Of(s.a), block.Of(s.b), block.Of(s.dy), block.Of(s.db), s.freshB);
            }
        });
    }
}
