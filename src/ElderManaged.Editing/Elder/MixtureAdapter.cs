using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// The term Σ s_j · (α/r) · B_j A_j v beside the edited layers (ELDER eq. 2–4), for one forward pass. The rows of an
/// owner (a sequence in scope) share its k LoRAs; rows without an owner are left as they are, bit for bit.
/// </summary>
public sealed class MixtureAdapter : IFeedForwardAdapter
{
    private readonly Mixture mixture;
    private readonly LoraAllocation[] allocations;
    private readonly Tensor[] weights;
    private readonly float scaling;

    /// <summary>A term for one pass.</summary>
    /// <param name="mixture">The LoRAs.</param>
    /// <param name="rowOwner">The owner of every row of the pass, −1 for none.</param>
    /// <param name="loras">For each edited layer the LoRAs of owner after owner, k each.</param>
    /// <param name="weights">For each edited layer s [owners, k].</param>
    /// <param name="scaling">α / r.</param>
    public MixtureAdapter(Mixture mixture, int[] rowOwner, IReadOnlyList<int[]> loras, IReadOnlyList<Tensor> weights, float scaling)
        : this(mixture, scaling)
    {
        ArgumentNullException.ThrowIfNull(rowOwner);
        ArgumentNullException.ThrowIfNull(loras);
        ArgumentNullException.ThrowIfNull(weights);
        for (int l = 0; l < allocations.Length; l++)
        {
            Set(l, loras[l], weights[l], rowOwner);
        }
    }

    /// <summary>A term for many passes; <see cref="Set"/> every layer before each.</summary>
    internal MixtureAdapter(Mixture mixture, float scaling)
    {
        ArgumentNullException.ThrowIfNull(mixture);
        (this.mixture, this.scaling) = (mixture, scaling);
        allocations = [.. mixture.Layers.Select(_ => new LoraAllocation([], 1, []))];
        weights = new Tensor[allocations.Length];
    }

    /// <summary>What acts in one edited layer: LoRAs of owner after owner, their weights [owners, k], the owner of every row.</summary>
    internal void Set(int layer, ReadOnlySpan<int> loras, Tensor s, ReadOnlySpan<int> rowOwner)
    {
        weights[layer] = s;
        allocations[layer].Set(loras, s.Columns, rowOwner);
    }

    /// <inheritdoc/>
    public bool Applies(int layer, FeedForwardSite site) => site == mixture.Site && mixture.IndexOf(layer) >= 0;

    /// <inheritdoc/>
    public Tensor Adapt(int layer, FeedForwardSite site, Tensor input, Tensor output)
    {
        int l = mixture.IndexOf(layer);
        MixtureLayer m = mixture.Layers[l];
        return Op.LoraMixture(input, m.A, m.B, weights[l], allocations[l], scaling, addTo: output);
    }
}
