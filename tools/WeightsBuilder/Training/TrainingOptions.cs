namespace ElderManaged.WeightsBuilder.Training;

/// <summary>How the base model is trained.</summary>
public sealed record TrainingOptions
{
    /// <summary>Optimiser steps.</summary>
    public int Steps { get; init; } = 1700;

    /// <summary>Tokens in a step; whole documents are packed until the next would go over.</summary>
    public int TokensPerStep { get; init; } = 4096;

    /// <summary>The peak step size.</summary>
    public float LearningRate { get; init; } = 2e-3f;

    /// <summary>Steps over which the rate rises.</summary>
    public int Warmup { get; init; } = 100;

    /// <summary>Where the cosine ends, as a share of the peak.</summary>
    public float FinalRate { get; init; } = 0.02f;

    /// <summary>Decoupled weight decay of matrices.</summary>
    public float WeightDecay { get; init; } = 0.01f;

    /// <summary>The largest norm of all gradients together.</summary>
    public float ClipNorm { get; init; } = 1f;

    /// <summary>
    /// The weight of the loss on the prompt's own tokens beside the loss on the answer's. The prompt names a subject
    /// that nothing before foretells, so most of that loss cannot be learned; some of it teaches the language.
    /// </summary>
    public float PromptLossWeight { get; init; } = 0.25f;

    /// <summary>Of the order of documents, their leading sentences and the first weights.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Steps between checkpoints.</summary>
    public int CheckpointEvery { get; init; } = 250;
}
