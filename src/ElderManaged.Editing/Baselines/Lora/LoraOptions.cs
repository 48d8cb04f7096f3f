using ElderManaged.Editing.Elder;
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

    /// <summary>The layers that ELDER edits.</summary>
    public static IReadOnlyList<int> DefaultLayers(TransformerModel model) => ElderOptions.DefaultLayers(model);
}
