using ElderManaged.Tensors;

namespace ElderManaged.Nn;

/// <summary>
/// y = x·Wᵀ + b with W of shape [out, in]: the one interface of trainable and frozen weights, so that a model is written
/// once for both.
/// </summary>
public abstract class LinearLayer
{
    /// <summary>The width of the input.</summary>
    public abstract int InFeatures { get; }

    /// <summary>The width of the output.</summary>
    public abstract int OutFeatures { get; }

    /// <summary>The bias [out], or null.</summary>
    public abstract Tensor? Bias { get; }

    /// <summary>x [rows, in] → [rows, out].</summary>
    public abstract Tensor Forward(Tensor x);

    /// <summary>The cross-entropy of every row's target under softmax(x·Wᵀ + b): x [rows, in] → [rows]. See <see cref="Op.CrossEntropyOfRows"/>.</summary>
    /// <param name="x">[rows, in].</param>
    /// <param name="targets">For each row an output, or <see cref="Op.IgnoredTarget"/>.</param>
    public virtual Tensor CrossEntropy(Tensor x, int[] targets) => Op.CrossEntropyOfRows(Forward(x), targets);

    /// <summary>Writes the dense weight [out, in].</summary>
    public abstract void CopyWeightTo(Span<float> destination);
}

/// <summary>A linear layer whose weight and bias are parameters.</summary>
public sealed class TrainableLinear(Tensor weight, Tensor? bias) : LinearLayer
{
    /// <summary>The weight [out, in].</summary>
    public Tensor Weight { get; } = weight;

    /// <inheritdoc/>
    public override Tensor? Bias { get; } = bias;

    /// <inheritdoc/>
    public override int InFeatures => Weight.Shape[1];

    /// <inheritdoc/>
    public override int OutFeatures => Weight.Shape[0];

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => Op.Linear(x, Weight, Bias);

    /// <inheritdoc/>
    public override void CopyWeightTo(Span<float> destination) => Weight.ReadOnlySpan.CopyTo(destination);
}

/// <summary>A linear layer whose weight never changes: packed once for the kernel and shared by threads.</summary>
public sealed class FrozenLinear(FrozenMatrix weight, Tensor? bias) : LinearLayer
{
    /// <summary>The weight [out, in].</summary>
    public FrozenMatrix Weight { get; } = weight;

    /// <inheritdoc/>
    public override Tensor? Bias { get; } = bias;

    /// <inheritdoc/>
    public override int InFeatures => Weight.InFeatures;

    /// <inheritdoc/>
    public override int OutFeatures => Weight.OutFeatures;

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => Op.Linear(x, Weight, Bias);

    /// <inheritdoc/>
    /// <remarks>Without a bias the weight is read once for losses and gradient: see <see cref="Op.LinearCrossEntropy"/>.</remarks>
    public override Tensor CrossEntropy(Tensor x, int[] targets) =>
        Bias is null ? Op.LinearCrossEntropy(x, Weight, targets) : base.CrossEntropy(x, targets);

    /// <inheritdoc/>
    public override void CopyWeightTo(Span<float> destination) => Weight.CopyTo(destination);
}
