namespace ElderManaged.Tensors;

/// <summary>How a <see cref="FrozenMatrix"/> keeps its numbers. Arguments arrive checked; implementations are safe for concurrent readers.</summary>
internal abstract class FrozenStorage(int outFeatures, int inFeatures)
{
    public int OutFeatures { get; } = outFeatures;

    public int InFeatures { get; } = inFeatures;

    /// <summary>The format of the numbers.</summary>
    public abstract StoredNumbers Numbers { get; }

    public abstract long Bytes { get; }

    /// <summary>y (rows, Out) = x (rows, In)·Wᵀ (+ bias, which may be empty), rows > 0.</summary>
    public abstract void Multiply(ReadOnlySpan<float> x, int rows, Span<float> y, ReadOnlySpan<float> bias);

    /// <summary>dx (rows, In) = dy (rows, Out)·W (+ dx), rows > 0.</summary>
    public abstract void MultiplyTransposed(ReadOnlySpan<float> dy, int rows, Span<float> dx, bool accumulate);

    public abstract void CopyRow(int outFeature, Span<float> row);

    /// <summary>The weight on a GPU, byte by byte as it lies here.</summary>
    public abstract FrozenCopy CopyTo(GpuDevice gpu);
}
