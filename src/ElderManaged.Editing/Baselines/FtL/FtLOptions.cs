using ElderManaged.Models;

namespace ElderManaged.Editing.Baselines.FtL;

/// <summary>The settings of <see cref="FtLEditor"/>; the defaults are those of Meng et al. (2022).</summary>
public sealed record FtLOptions
{
    /// <summary>The block whose feed-forward output matrix is tuned; null for <see cref="DefaultLayer"/>.</summary>
    public int? Layer { get; init; }

    /// <summary>Adam's step size.</summary>
    public float LearningRate { get; init; } = 5e-4f;

    /// <summary>The most steps for a batch.</summary>
    public int MaxSteps { get; init; } = 25;

    /// <summary>The batch is learned when its mean loss is below this.</summary>
    public float StopLoss { get; init; } = 1e-2f;

    /// <summary>How far a batch may move each weight: the L∞ constraint that gives the method its name.</summary>
    public float Clamp { get; init; } = 5e-4f;

    /// <summary>
    /// The layer tuned by default: 0 for GPT-2, as for GPT2-XL; for LLaMA the one at the depth of layer 21 among
    /// LLaMA2-7B's 32.
    /// </summary>
    public static int DefaultLayer(TransformerModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Config.ModelType == "gpt2" ? 0 : Math.Min(model.LayerCount - 1, model.LayerCount * 21 / 32);
    }
}
