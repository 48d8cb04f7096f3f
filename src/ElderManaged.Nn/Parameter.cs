using ElderManaged.Tensors;

namespace ElderManaged.Nn;

/// <summary>A trainable tensor with the name under which checkpoints keep it.</summary>
/// <param name="Name">For example <c>transformer.h.0.ln_1.weight</c>.</param>
/// <param name="Value">The numbers; <see cref="Tensor.RequiresGrad"/> is set.</param>
public sealed record Parameter(string Name, Tensor Value)
{
    /// <summary>Whether weight decay applies: to matrices, not to biases and norm gains.</summary>
    public bool Decays => Value.Shape.Rank > 1;
}
