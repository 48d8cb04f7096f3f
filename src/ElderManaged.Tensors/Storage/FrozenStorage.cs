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

    /// <summary>
    /// Panels of 32 outputs side by side in float32, one row for each input, so that output 32j + l of input p lies at (j·In + p)·32 + l: where they lie already, or
    /// unpacked into the room given. The last one may have outputs that do not exist.
    /// </summary>
    /// <param name="level">The SIMD level to unpack with.</param>
    /// <param name="first">The first panel, a multiple of <see cref="PanelsTogether"/>.</param>
    /// <param name="count">How many; a multiple too, but for the last ones.</param>
    /// <param name="room">count·32·In floats, rounded up to a multiple; not looked at where <see cref="PanelsInPlace"/>.</param>
    public abstract unsafe float* Panels(SimdLevel level, int first, int count, float* room);

    /// <summary>Where the numbers of these panels lie, to be fetched before they are asked for.</summary>
    public abstract GemmBlocks.WantedNext PanelSource(int first, int count);

    /// <summary>Whether <see cref="Panels"/> needs no room.</summary>
    public abstract bool PanelsInPlace { get; }

    /// <summary>So many panels lie in one piece.</summary>
    public abstract int PanelsTogether { get; }

    public abstract void CopyRow(int outFeature, Span<float> row);

    /// <summary>The weight on a GPU, byte by byte as it lies here.</summary>
    public abstract FrozenCopy CopyTo(GpuDevice gpu);
}
