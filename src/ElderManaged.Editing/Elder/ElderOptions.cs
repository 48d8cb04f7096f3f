using System.Text.Json;
using System.Text.Json.Serialization;
using ElderManaged.Models;

namespace ElderManaged.Editing.Elder;

/// <summary>Who decides which LoRAs act on a prompt.</summary>
public enum ElderRouting
{
    /// <summary>The paper: the top-k of trained routers, weighted by their scores; scope by the distance of allocation codes.</summary>
    Router,

    /// <summary>The allocation recorded for the nearest edited fact, with equal weights; scope by the fact finder.</summary>
    Recorded,
}

/// <summary>Which LoRAs a training pass of a routed mixture runs.</summary>
public enum GuidedMode
{
    /// <summary>The top-k of the scores; the guided loss pulls them towards the allocation.</summary>
    Soft,

    /// <summary>The pre-assigned allocation, with its scores as weights.</summary>
    Hard,
}

/// <summary>What is added to the target loss to teach the routers.</summary>
public enum RouterLoss
{
    /// <summary>The guided loss: −ln of the scores of the pre-assigned LoRAs.</summary>
    Guided,

    /// <summary>Ablation: the load-balancing loss of the Switch Transformer.</summary>
    Balancing,

    /// <summary>Ablation: nothing.</summary>
    None,
}

/// <summary>Everything that <see cref="ElderEditor"/> can be told; start from <see cref="Paper"/> or <see cref="Default"/>.</summary>
public sealed record ElderOptions
{
    // The losses between which the step size falls.
    private const double LargeLoss = 1, SmallLoss = 0.1;

    /// <summary>The edited blocks, ascending and consecutive or not; the pass below the first is shared by all iterations.</summary>
    public required IReadOnlyList<int> Layers { get; init; }

    /// <summary>N, the LoRAs of each edited layer.</summary>
    public int LoraCount { get; init; } = 4;

    /// <summary>k, how many of them act on a prompt.</summary>
    public int ActiveCount { get; init; } = 2;

    /// <summary>r, the rank of a LoRA.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>α; a LoRA's output is multiplied by α / r. Null means α = r.</summary>
    public float? Alpha { get; init; }

    /// <summary>A starts uniform in ± this; null means 1/√r, as the authors' code has it. B starts at zero.</summary>
    public float? InitialBound { get; init; }

    /// <summary>Who allocates.</summary>
    public ElderRouting Routing { get; init; }

    /// <summary>Soft or hard routing while training; of no effect with recorded routing.</summary>
    public GuidedMode Mode { get; init; }

    /// <summary>What teaches the routers; of no effect with recorded routing.</summary>
    public RouterLoss RouterLoss { get; init; }

    /// <summary>λ, the weight of the router loss.</summary>
    public float Lambda { get; init; } = 1e-2f;

    /// <summary>ε: a prompt is in scope if its code differs from a recorded one in fewer bits.</summary>
    public int Epsilon { get; init; } = 12;

    /// <summary>The weight of each active LoRA with recorded routing.</summary>
    public float UniformWeight { get; init; } = 0.5f;

    /// <summary>Adam's step size.</summary>
    public float LearningRate { get; init; } = 1e-4f;

    /// <summary>
    /// How many times as large the step is as long as the loss of the least probable new token is 1 or more; it falls with that
    /// loss and is <see cref="LearningRate"/> from 0.1 down. 1 for the same step throughout. The mean loss would not do: one
    /// stubborn token among many easy ones would be left with small steps, and keep the batch going.
    /// </summary>
    public float FirstStepsFactor { get; init; } = 1;

    /// <summary>The most optimiser steps for a batch.</summary>
    public int Iterations { get; init; } = 50;

    /// <summary>How many edits callers should give in one batch.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>How many random earlier edits every iteration also trains on.</summary>
    public int RehearsedRows { get; init; }

    /// <summary>
    /// Whether a rehearsed edit whose tokens are not all <see cref="EarlyStopProbability"/> probable is rehearsed again in the
    /// next iteration, instead of giving its place to another: what is being forgotten gets most of the rehearsal.
    /// </summary>
    public bool RehearseUntilSure { get; init; }

    /// <summary>
    /// How many earlier edits are looked at before a batch ends, in a forward pass: those whose LoRAs it has moved most. Training
    /// goes on with what of them is forgotten. 0 for none; of no effect without early stop.
    /// </summary>
    public int ReviewedEdits { get; init; }

    /// <summary>
    /// Whether edits are rehearsed behind their leading sentence as often as alone: rehearsing a prompt alone keeps its
    /// answer, but not that of its rephrasings.
    /// </summary>
    public bool RehearseBehindSentences { get; init; }

    /// <summary>
    /// For how many iterations a new edit rests whose tokens are all <see cref="EarlyStopProbability"/> probable; 0 for none.
    /// Before training ends, all are asked together. Of no effect without early stop.
    /// </summary>
    public int RestIterations { get; init; }

    /// <summary>
    /// Training ends when every target token of an iteration is at least this probable, those of rehearsed edits too; null to
    /// make all iterations.
    /// </summary>
    public float? EarlyStopProbability { get; init; }

    /// <summary>After how many iterations the early stop asks for less and less, a half at the last.</summary>
    public int EarlyStopPatience { get; init; } = 40;

    /// <summary>
    /// Whether LoRAs act only from the last prompt token on, over keys and values of the base model, instead of on every
    /// token of the sequence.
    /// </summary>
    public bool ActFromLastPromptToken { get; init; }

    /// <summary>
    /// Token ids of unrelated sentences, each with the separator at its end (such as a line break); every edit is also
    /// trained behind one of them. Empty for none.
    /// </summary>
    public IReadOnlyList<int[]> LeadingSentences { get; init; } = [];

    /// <summary>Compatibility with the authors' code, which records codes in the last forward pass, before its step.</summary>
    public bool RecordCodesBeforeLastStep { get; init; }

    /// <summary>How much prepared state of earlier edits is kept for rehearsal; what does not fit is computed again.</summary>
    public long RehearsalCacheBytes { get; init; } = 1L << 30;

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; }

    /// <summary>Adam's step size at a loss of the least probable new token.</summary>
    internal float LearningRateAt(double loss) =>
        LearningRate * (1 + ((FirstStepsFactor - 1) * (float)Math.Clamp((loss - SmallLoss) / (LargeLoss - SmallLoss), 0, 1)));

    /// <summary>α / r.</summary>
    [JsonIgnore]
    public float Scaling => (Alpha ?? Rank) / Rank;

    /// <summary>The method as published (Li et al. 2025): section 5 of the paper, batches of 4, 50 iterations.</summary>
    public static ElderOptions Paper(TransformerModel model) => new() { Layers = DefaultLayers(model) };

    /// <summary>
    /// The variant that forgets less: finer LoRAs, allocation of the nearest recorded fact, acting from the last prompt token
    /// on, rehearsal and early stop. It has twice the LoRA parameters of <see cref="Paper"/>; with a <see cref="LoraCount"/> of
    /// 32 it has the same and generalizes one or two points less.
    /// </summary>
    public static ElderOptions Default(TransformerModel model) => new()
    {
        Layers = DefaultLayers(model),
        LoraCount = 64,
        ActiveCount = 4,
        Rank = 1,
        InitialBound = 0.25f,
        Routing = ElderRouting.Recorded,
        RouterLoss = RouterLoss.None,
        LearningRate = 1e-3f,
        FirstStepsFactor = 4,
        RehearsedRows = 6,
        RehearseUntilSure = true,
        ReviewedEdits = 32,
        RehearseBehindSentences = true,
        RestIterations = 3,
        Iterations = 150, // a bound for long answers; early stop ends most batches after 20 to 40
        EarlyStopProbability = 0.9f,
        ActFromLastPromptToken = true,
    };

    /// <summary>
    /// Up to six layers from two thirds of the depth on: 35–40 of GPT2-XL's 48 and 21–26 of LLaMA2-7B's 32, as in the
    /// paper, and 20–25 of 30; never more than the upper half.
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

    /// <summary>All options as one line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ElderJson.Default.ElderOptions);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="JsonException">Not such a text.</exception>
    public static ElderOptions FromJson(string json) =>
        JsonSerializer.Deserialize(json, ElderJson.Default.ElderOptions) ?? throw new JsonException("Elder options: the text is 'null'.");

    /// <summary>Throws if the options contradict themselves or the model.</summary>
    /// <exception cref="EditException">Which option, its value, and what is possible.</exception>
    internal void Check(TransformerModel model)
    {
        Require(Layers.Count > 0, "Layers is empty; name at least one block to edit.");
        for (int i = 0; i < Layers.Count; i++)
        {
            Require(Layers[i] >= 0 && Layers[i] < model.LayerCount, $"Layers names block {Layers[i]}; the model has the blocks 0 to {model.LayerCount - 1}.");
            Require(i == 0 || Layers[i] > Layers[i - 1], $"Layers must rise, but {Layers[i]} follows {Layers[Math.Max(0, i - 1)]}.");
        }

        Require(Routing != ElderRouting.Router || Layers[0] > 0, "Layers begins with block 0, but routers read a query from the block below; begin with 1.");
        Require(Rank > 0, $"Rank is {Rank}; a LoRA has at least rank 1.");
        Require(LoraCount > 0 && ActiveCount > 0 && ActiveCount <= LoraCount, $"ActiveCount is {ActiveCount} of {LoraCount} LoRAs; choose 1 to LoraCount.");
        Require(Iterations > 0, $"Iterations is {Iterations}; at least one step is needed.");
        Require(BatchSize > 0, $"BatchSize is {BatchSize}; a batch has at least one edit.");
        Require(RehearsedRows >= 0, $"RehearsedRows is {RehearsedRows}; it cannot be negative.");
        Require(ReviewedEdits >= 0, $"ReviewedEdits is {ReviewedEdits}; it cannot be negative.");
        Require(LearningRate > 0 && float.IsFinite(LearningRate), $"LearningRate is {LearningRate}; it must be a positive number.");
        Require(FirstStepsFactor > 0 && float.IsFinite(FirstStepsFactor), $"FirstStepsFactor is {FirstStepsFactor}; it must be a positive number.");
        Require(RestIterations >= 0, $"RestIterations is {RestIterations}; it cannot be negative.");
        Require(InitialBound is null or > 0, $"InitialBound is {InitialBound}; it must be positive, or no gradient ever flows.");
        Require(EarlyStopPatience >= 0, $"EarlyStopPatience is {EarlyStopPatience}; it cannot be negative.");
        Require(EarlyStopProbability is null or (> 0 and <= 1), $"EarlyStopProbability is {EarlyStopProbability}; a probability lies in (0, 1].");
        Require(LeadingSentences.All(s => s.Length > 0 && s.All(id => id >= 0 && id < model.Config.VocabSize)), "LeadingSentences holds an empty sentence or a token that the model does not know.");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new EditException($"Elder options: {otherwise}");
        }
    }
}
