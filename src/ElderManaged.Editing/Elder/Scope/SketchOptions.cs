namespace ElderManaged.Editing.Elder;

/// <summary>Every constant of sketching and of the scope decision. Kept inside the calibration that was fitted with it.</summary>
public sealed record SketchOptions
{
    /// <summary>Which part of the depth the sketch reads, when <see cref="Layer"/> is not given.</summary>
    public double DepthShare { get; init; } = 0.27;

    /// <summary>The block after which the residual stream is read, from 0; null for <see cref="DepthShare"/> of the depth.</summary>
    public int? Layer { get; init; }

    /// <summary>Which part of the depth the ending is read from, when <see cref="EndingLayer"/> is not given.</summary>
    public double EndingDepthShare { get; init; } = 0.75;

    /// <summary>The block after which the last token is read, from 0; null for <see cref="EndingDepthShare"/> of the depth.</summary>
    public int? EndingLayer { get; init; }

    /// <summary>The most principal directions of the mean, hence numbers of the first half of a sketch.</summary>
    public int Components { get; init; } = 128;

    /// <summary>
    /// The most principal directions of the ending. Kinds of answers are few; further directions are noise that
    /// whitening blows up, and prompts it was not fitted on then look alike.
    /// </summary>
    public int EndingComponents { get; init; } = 24;

    /// <summary>Directions whose variance is below this share of the largest are noise and left out.</summary>
    public double VarianceFloor { get; init; } = 1e-7;

    /// <summary>a of the weight a/(a + p(token)) in the mean over tokens (Arora et al. 2017).</summary>
    public double TokenRarity { get; init; } = 1e-3;

    /// <summary>a of the weight a/(a + p(word)) when words are compared.</summary>
    public double WordRarity { get; init; } = 1e-3;

    /// <summary>
    /// The last sentence begins after the last sentence end that leaves at least this many words after it, so that
    /// "Q: Where was Ada born? A:" is one sentence.
    /// </summary>
    public int FewestWords { get; init; } = 4;

    /// <summary>Calibration texts are cut to their last tokens, at most this many.</summary>
    public int TextTokens { get; init; } = 96;

    /// <summary>
    /// How many of the texts teach the decision and so run through most of the model, at most; null for all. The frequencies
    /// of words and tokens are counted in all texts, which needs no model.
    /// </summary>
    public int? DecisionTexts { get; init; }

    /// <summary>How many facts teach the decision, in all their wordings, at most; null for half of the subjects.</summary>
    public int? DecisionFacts { get; init; }

    /// <summary>How many other prompts the whitening sees, at most; null for all, which are the other half of the subjects.</summary>
    public int? WhiteningPrompts { get; init; }

    /// <summary>How many tokens run through the model at once.</summary>
    public int BatchTokens { get; init; } = 2048;

    /// <summary>How many of the nearest records (by cosine and subject) are scored.</summary>
    public int Candidates { get; init; } = 32;

    /// <summary>The share of prompts that were not edited which may be taken in by mistake.</summary>
    public double FalseScopeRate { get; init; } = 0.01;

    /// <summary>
    /// Other questions about the subject of an edit are the hardest to tell from rephrasings of it. They raise the
    /// threshold only as long as this share of the rephrasings stays in scope.
    /// </summary>
    public double RecallFloor { get; init; } = 0.95;

    /// <summary>
    /// Where the threshold lies between what unedited prompts reach (0) and what rephrased edits reach (1), on the scale
    /// of the logit, when there is a gap between the two.
    /// </summary>
    public double GapShare { get; init; } = 0.3;

    /// <summary>
    /// Whether a prompt equal to a recorded one, token by token, is in scope whatever its score: what was edited
    /// literally is never lost to a statistical decision.
    /// </summary>
    public bool ExactAlwaysInScope { get; init; } = true;

    /// <summary>How often calibration plays recording one part of the facts and asking about all of them.</summary>
    public int Rounds { get; init; } = 4;

    /// <summary>The share of the calibration facts that is recorded in each round.</summary>
    public double RecordedShare { get; init; } = 0.5;

    /// <summary>How many wordings of a fact are asked in a round, at most.</summary>
    public int AskedPhrasings { get; init; } = 4;

    /// <summary>How many unrelated texts are asked in a round, at most.</summary>
    public int UnrelatedTexts { get; init; } = 600;

    /// <summary>L2 penalty on the logistic coefficients, per example.</summary>
    public double Ridge { get; init; } = 1e-3;

    /// <summary>Seed of the rounds.</summary>
    public ulong Seed { get; init; } = 1;

    internal int LayerFor(int layerCount) => Layer is { } given
        ? Existing(given, layerCount)
        : Math.Max(0, Math.Min(Math.Max(1, (int)Math.Floor(DepthShare * layerCount)), layerCount - 2));

    internal int EndingLayerFor(int layerCount) => EndingLayer is { } given
        ? Existing(given, layerCount)
        : Math.Min(layerCount - 1, (int)Math.Floor(EndingDepthShare * layerCount));

    private static int Existing(int layer, int layerCount) => (uint)layer < (uint)layerCount
        ? layer
        : throw new ArgumentException($"SketchOptions: layer {layer} does not exist; the model has {layerCount} blocks, from 0.");
}

/// <summary>
/// A fact that is never edited, from which the scope decision is learned: several wordings that ask the same.
/// </summary>
/// <param name="Id">Names the fact.</param>
/// <param name="Subject">What it is about, as written in the wordings; empty if unknown.</param>
/// <param name="Phrasings">At least one prompt; facts with two or more teach what a rephrasing looks like.</param>
public sealed record CalibrationFact(string Id, string Subject, IReadOnlyList<string> Phrasings);
