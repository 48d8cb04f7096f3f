using ElderManaged.Models;

namespace ElderManaged.Editing.Baselines.Lora;

/// <summary>The settings of <see cref="LoraEditor"/>.</summary>
public sealed record LoraOptions
{
    /// <summary>The edited blocks, ascending; null for <see cref="DefaultLayers"/>.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>The rank: 32 gives as many LoRA parameters as ELDER's four LoRAs of rank 8.</summary>
    public int Rank { get; init; } = 32;

    /// <summary>α; the term is multiplied by α/rank. Null for the rank itself, which makes the factor 1.</summary>
    public float? Alpha { get; init; }

    /// <summary>Adam's step size: ELDER's by default; EasyEdit uses 5e-3 for this baseline.</summary>
    public float LearningRate { get; init; } = 1e-4f;

    /// <summary>Steps for each batch.</summary>
    public int Iterations { get; init; } = 50;

    /// <summary>Seed of the initialisation of A.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// The layers that ELDER edits: up to six from two thirds of the depth on, 35–40 of GPT2-XL's 48 and 21–26 of
    /// LLaMA2-7B's 32; never more than the upper half.
    /// </summary>
    public static IReadOnlyList<int> DefaultLayers(TransformerModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        int depth = model.LayerCount;
        int count = Math.Clamp(depth / 2, 1, 6);
        bool gpt2Xl = depth == 48 && model.Width == 1600;
        int first = gpt2Xl ? 35 : Math.Min(depth - count, (int)Math.Round(depth * 2 / 3.0));
        return [.. Enumerable.Range(first, count)];
    }
}
