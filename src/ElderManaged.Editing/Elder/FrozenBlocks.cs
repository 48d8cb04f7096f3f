using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Blocks that are only computed, never trained, each in a scope of its own: what a block needs inside is given back before
/// the next one, so a pass over many rows holds one block's activations instead of all.
/// </summary>
internal static class FrozenBlocks
{
    /// <summary>
    /// Blocks <paramref name="first"/> up to but without <paramref name="end"/>, with the same bits as
    /// <see cref="TransformerModel.Blocks"/>. Observers may keep <see cref="Activation.Hidden"/>, and of other activations only copies.
    /// </summary>
    public static Tensor Run(TransformerModel model, Tensor hidden, ForwardContext context, int first, int end)
    {
        for (int layer = first; layer < end; layer++)
        {
            Tensor next = Tape.NewTensor(hidden.Shape);
            using (Tape.Start(record: false))
            {
                model.Blocks(hidden, context, layer, layer + 1).Span.CopyTo(next.Span);
            }

            hidden = next;
        }

        return hidden;
    }
}
