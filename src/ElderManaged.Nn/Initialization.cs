using ElderManaged.Tensors;

namespace ElderManaged.Nn;

/// <summary>How a fresh parameter gets its first values.</summary>
public abstract record Initialization
{
    /// <summary>Fills the parameter.</summary>
    public abstract void Fill(Span<float> values, RandomSource random);

    /// <summary>Normal numbers of mean 0.</summary>
    public sealed record Normal(float Deviation) : Initialization
    {
        /// <inheritdoc/>
        public override void Fill(Span<float> values, RandomSource random) => random.FillGaussian(values, Deviation);
    }

    /// <summary>One number everywhere.</summary>
    public sealed record Constant(float Value) : Initialization
    {
        /// <inheritdoc/>
        public override void Fill(Span<float> values, RandomSource random) => values.Fill(Value);
    }
}
