using ElderManaged.Tensors;

namespace ElderManaged.Models;

/// <summary>The two fully connected layers of a feed-forward part to which an editor can attach.</summary>
public enum FeedForwardSite
{
    /// <summary>The first: GPT-2's <c>mlp.c_fc</c> (width → inner width). LLaMA's gated pair has no such site.</summary>
    Expand,

    /// <summary>The last: GPT-2's <c>mlp.c_proj</c>, LLaMA's <c>mlp.down_proj</c> (inner width → width).</summary>
    Contract,
}

/// <summary>
/// A removable term beside the frozen feed-forward layers: every editing method acts on the base model through this
/// one door, so that taking the adapter away gives the untouched base back.
/// </summary>
public interface IFeedForwardAdapter
{
    /// <summary>Whether <see cref="Adapt"/> wants to see this layer at all.</summary>
    bool Applies(int layer, FeedForwardSite site);

    /// <summary>Returns what the layer shall output instead of <paramref name="output"/>, or it unchanged.</summary>
    /// <param name="layer">The block, from 0.</param>
    /// <param name="site">Which of its fully connected layers.</param>
    /// <param name="input">v [rows, in].</param>
    /// <param name="output">W·v + b [rows, out] of the frozen layer.</param>
    Tensor Adapt(int layer, FeedForwardSite site, Tensor input, Tensor output);
}
