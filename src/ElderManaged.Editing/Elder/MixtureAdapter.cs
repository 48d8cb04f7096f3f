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
    {
        ArgumentNullException.ThrowIfNull(mixture);
        ArgumentNullException.ThrowIfNull(loras);
        this.mixture = mixture;
        this.weights = [.. weights];
        this.scaling = scaling;
        allocations = [.. loras.Select((chosen, l) => new LoraAllocation(chosen, this.weights[l].Columns, rowOwner))];
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
