using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>What teaches the routers beside the target loss.</summary>
public static class RouterLosses
{
    /// <summary>
    /// The guided loss: Σ over layers and allocated LoRAs of −ln s, mean over the samples (ELDER, section "Guided loss").
    /// </summary>
    /// <param name="scores">For each layer s [samples, N].</param>
    /// <param name="allocations">𝒜 of each sample.</param>
    public static Tensor Guided(IReadOnlyList<Tensor> scores, IReadOnlyList<Allocation> allocations)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(allocations);
        Tensor? sum = null;
        for (int l = 0; l < scores.Count; l++)
        {
            sum = AddGuided(sum, scores[l], Router.LorasOf(allocations, l));
        }

        return Op.Scale(sum!, -1f / allocations.Count);
    }

    /// <summary>Adds Σ ln s over samples and allocated LoRAs of one layer, k LoRAs for each sample.</summary>
    internal static Tensor AddGuided(Tensor? sum, Tensor scores, ReadOnlySpan<int> loras)
    {
        Tensor layer = Op.Sum(Op.Log(Op.PickColumns(scores, loras)));
        return sum is null ? layer : Op.Add(sum, layer);
    }

    /// <summary>
    /// The load-balancing loss N · Σ_j f_j P_j, summed over layers: f_j is the share of samples whose best LoRA is j,
    /// P_j the mean score of j (Fedus et al. 2022, Switch Transformers, eq. 4–6; ELDER's ablation).
    /// </summary>
    /// <param name="scores">For each layer s [samples, N].</param>
    public static Tensor Balancing(IReadOnlyList<Tensor> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        Tensor? sum = null;
        foreach (Tensor s in scores)
        {
            int samples = s.Rows, n = s.Columns;
            Span<float> share = Tape.NewTensor(new Shape(n)).Span;
            share.Clear();
            for (int i = 0; i < samples; i++)
            {
                share[Op.ArgMax(s.ReadOnlyRow(i))] += 1f / samples;
            }

            // Σ_j f_j P_j = mean over samples of Σ_j f_j s_j; f counts, so no gradient flows through it.
            Tensor factors = Tape.NewTensor(s.Shape);
            for (int i = 0; i < samples; i++)
            {
                share.CopyTo(factors.Row(i));
            }

            Tensor layer = Op.Scale(Op.Sum(Op.Mul(s, factors)), (float)n / samples);
            sum = sum is null ? layer : Op.Add(sum, layer);
        }

        return sum!;
    }
}
