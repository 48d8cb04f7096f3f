using ElderManaged.Tensors;

namespace ElderManaged.Nn;

/// <summary>Layer normalisation with gain and bias [width] (Ba et al. 2016), as GPT-2 has it.</summary>
public sealed class LayerNorm(Tensor gain, Tensor bias, float epsilon)
{
    /// <summary>The gain [width].</summary>
    public Tensor Gain { get; } = gain;

    /// <summary>The bias [width].</summary>
    public Tensor Bias { get; } = bias;

    /// <summary>x [rows, width] → [rows, width].</summary>
    public Tensor Forward(Tensor x) => Op.LayerNorm(x, Gain, Bias, epsilon);
}

/// <summary>Root-mean-square normalisation with gain [width] (Zhang and Sennrich 2019), as LLaMA has it.</summary>
public sealed class RmsNorm(Tensor gain, float epsilon)
{
    /// <summary>The gain [width].</summary>
    public Tensor Gain { get; } = gain;

    /// <summary>x [rows, width] → [rows, width].</summary>
    public Tensor Forward(Tensor x) => Op.RmsNorm(x, Gain, epsilon);
}
