using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// The loss of every row of a projection to a vocabulary: ℓ_r = log Σ_j exp(w_j·x_r) − w_t·x_r with t the row's target, 0 where that is
    /// <see cref="IgnoredTarget"/>. [R]. The gradient flows to x; W is a constant.
    /// </summary>
    /// <remarks>
    /// On a processor, where a gradient is wanted, it is found on the way: W, the largest matrix of most models, is read once instead of twice, and no
    /// logits are kept. Elsewhere this is <see cref="CrossEntropyOfRows"/> of <see cref="Linear(Tensor, FrozenMatrix, Tensor?)"/>, which gives the same up to rounding.
    /// </remarks>
    /// <param name="x">[R, D].</param>
    /// <param name="weight">W: [V, D].</param>
    /// <param name="targets">R outputs of W, or <see cref="IgnoredTarget"/>. Not copied: must not change until the tape ends.</param>
    /// <exception cref="ArgumentException">Shapes disagree, or a target is no output.</exception>
    public static Tensor LinearCrossEntropy(Tensor x, FrozenMatrix weight, int[] targets)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        if (!Tape.Wants(x) || (GpuFeature.IsSupported && x.Gpu is not null))
        {
            return CrossEntropyOfRows(Linear(x, weight, null), targets);
        }

        if (x.Shape.Rank != 2 || x.Columns != weight.InFeatures)
        {
            throw new ArgumentException($"LinearCrossEntropy: the input {x.Shape} must be [rows, {weight.InFeatures}] for the weight [{weight.OutFeatures}, {weight.InFeatures}].");
        }

        RequireTargets("LinearCrossEntropy", new Shape(x.Rows, weight.OutFeatures), targets);
        Tensor losses = Tape.NewTensor(new Shape(x.Rows)), slopes = Tape.NewTensor(x.Shape);
        weight.Losses(x.Span, x.Rows, targets, losses.Span, slopes.Span);
        return GradNode.Record("LinearCrossEntropy", losses, (x, slopes), static (s, losses) =>
        {
            // dx_r = dℓ_r · (softmax(x_r·Wᵀ)·W − w_t)
            Tensor dx = s.x.GradSink(out bool fresh);
            for (int r = 0; r < dx.Rows; r++)
            {
                if (fresh)
                {
                    TensorPrimitives.Multiply(s.slopes.Row(r), losses.Grad![r], dx.Row(r));
                }
                else
                {
                    TensorPrimitives.MultiplyAdd(s.slopes.Row(r), losses.Grad![r], dx.Row(r), dx.Row(r));
                }
            }
        });
    }
}
