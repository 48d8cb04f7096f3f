using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>The routers of all edited layers: they read one query for each prompt and score the LoRAs.</summary>
public static class Router
{
    /// <summary>s = softmax(W_r x + b_r) in every edited layer (ELDER eq. 1).</summary>
    /// <param name="mixture">Owns the routers.</param>
    /// <param name="queries">x [prompts, query width].</param>
    /// <returns>For each edited layer s [prompts, N].</returns>
    public static Tensor[] Scores(Mixture mixture, Tensor queries)
    {
        ArgumentNullException.ThrowIfNull(mixture);
        Tensor[] scores = new Tensor[mixture.Layers.Count];
        Scores(mixture, queries, scores);
        return scores;
    }

    /// <summary>The same, into an array of one place for each edited layer.</summary>
    internal static void Scores(Mixture mixture, Tensor queries, Tensor[] scores)
    {
        for (int l = 0; l < scores.Length; l++)
        {
            MixtureLayer layer = mixture.Layers[l];
            Tensor weight = layer.RouterWeight ?? throw new InvalidOperationException("Router: this mixture has no routers.");
            scores[l] = Op.Softmax(Op.Linear(queries, weight, layer.RouterBias));
        }
    }

    /// <summary>The numbers of the LoRAs with the largest scores, ascending: for each layer k after k, grown as needed.</summary>
    internal static void TopK(Tensor[] scores, int active, int[][] chosen)
    {
        for (int l = 0; l < scores.Length; l++)
        {
            int prompts = scores[l].Rows;
            chosen[l] = chosen[l].Length >= prompts * active ? chosen[l] : new int[prompts * active];
            Tensors.TopK.SelectOfRows(scores[l], active, chosen[l]);
            for (int s = 0; s < prompts; s++)
            {
                chosen[l].AsSpan(s * active, active).Sort();
            }
        }
    }

    /// <summary>The k LoRAs with the largest scores in every layer, for each prompt.</summary>
    /// <param name="scores">From <see cref="Scores(Mixture, Tensor)"/>.</param>
    /// <param name="active">k.</param>
    public static Allocation[] TopK(IReadOnlyList<Tensor> scores, int active)
    {
        ArgumentNullException.ThrowIfNull(scores);
        Allocation[] result = new Allocation[scores[0].Rows];
        int[] chosen = new int[scores.Count * active];
        for (int s = 0; s < result.Length; s++)
        {
            for (int l = 0; l < scores.Count; l++)
            {
                Tensors.TopK.Select(scores[l].ReadOnlyRow(s), active, chosen.AsSpan(l * active, active));
            }

            result[s] = new Allocation(chosen, scores.Count, scores[0].Columns);
        }

        return result;
    }

    /// <summary>The scores of allocated LoRAs, not renormalised: [prompts, k] for each layer.</summary>
    public static Tensor[] Weights(IReadOnlyList<Tensor> scores, IReadOnlyList<Allocation> allocations)
    {
        ArgumentNullException.ThrowIfNull(scores);
        return [.. scores.Select((s, l) => Op.PickColumns(s, LorasOf(allocations, l)))];
    }

    /// <summary>The LoRAs of one layer for allocation after allocation.</summary>
    internal static int[] LorasOf(IReadOnlyList<Allocation> allocations, int layer) =>
        [.. allocations.SelectMany(a => a.Layer(layer).ToArray())];
}
