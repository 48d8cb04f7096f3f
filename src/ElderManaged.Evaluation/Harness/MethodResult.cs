namespace ElderManaged.Evaluation.Harness;

/// <summary>A share of right answers in both readings.</summary>
/// <param name="TeacherForced">Every token of the target is the most likely one after the true ones before it.</param>
/// <param name="Generated">The model, left to itself, writes the target and ends.</param>
public readonly record struct Readings(double TeacherForced, double Generated);

/// <summary>
/// What an editing method reached: one row of the table, and one object of the machine-readable report.
/// </summary>
public sealed record MethodResult
{
    /// <summary>The method's name, such as <c>elder</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Right answers to the prompts that were edited.</summary>
    public required Readings Reliability { get; init; }

    /// <summary>Right answers to other wordings of the edited facts; null when there are none.</summary>
    public Readings? Generalization { get; init; }

    /// <summary>The share of the general tasks' prompts that were deferred to the base; null without scope or without tasks.</summary>
    public double? DeferralOfTasks { get; init; }

    /// <summary>The share of prompts about facts that were not edited that were deferred to the base; null without scope or without such prompts.</summary>
    public double? DeferralOfUnedited { get; init; }

    /// <summary>The share of the data set's locality prompts that were deferred to the base; null without scope or without such prompts.</summary>
    public double? DeferralOfLocality { get; init; }

    /// <summary>The share of edited prompts and other wordings taken to be in scope; null for a method without scope.</summary>
    public double? ScopeRecall { get; init; }

    /// <summary>The mean of the general tasks' metrics after editing; null without tasks.</summary>
    public double? Retention { get; init; }

    /// <summary>The same of the base model.</summary>
    public double? RetentionBase { get; init; }

    /// <summary>Mean wall-clock time of an edit.</summary>
    public double SecondsPerEdit { get; init; }

    /// <summary>Numbers kept beside the base model and trained.</summary>
    public long AddedParameters { get; init; }
}

/// <summary>How reliable the edits so far were, somewhere along the stream.</summary>
/// <param name="Edits">Edits learned by then.</param>
/// <param name="Reliability">The share of them answered right, teacher-forced.</param>
public readonly record struct CurvePoint(int Edits, double Reliability);

/// <summary>What an experiment found, as <c>--json</c> prints it.</summary>
/// <param name="Edits">The edits of the stream.</param>
/// <param name="Facts">The facts they are about.</param>
/// <param name="Methods">One result for each method, in the order of the table.</param>
public sealed record ExperimentResult(int Edits, int Facts, IReadOnlyList<MethodResult> Methods)
{
    /// <summary>What the base model answers to the same questions, when it is no row of the table itself.</summary>
    public MethodResult? Base { get; init; }

    /// <summary>What learning took, when it is told by itself.</summary>
    public StreamOutcome? Learned { get; init; }

    /// <summary>The most memory the process has had, in bytes.</summary>
    public long? PeakMemory { get; init; }

    /// <summary>Some answers as text, before and after.</summary>
    public IReadOnlyList<AnswerSample> Answers { get; init; } = [];
}
