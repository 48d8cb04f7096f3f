using ElderManaged.Editing;
using ElderManaged.Evaluation.Tasks;

namespace ElderManaged.Evaluation.Harness;

/// <summary>
/// Measures edited models on one set of questions: reliability, generalization, scope, retention. The base model's
/// answers to the general tasks are found once and shared by all methods.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
public sealed class EditEvaluation
{
    private readonly IReadOnlyList<int[]> unedited, locality;
    private IReadOnlyList<TaskOutcome>? baseOutcomes;

    /// <summary>An evaluation over a base model.</summary>
    /// <param name="model">The base model.</param>
    /// <param name="set">What is asked.</param>
    /// <exception cref="EditException">A prompt or target of the set is blank or too long; found here, before anything is trained.</exception>
    public EditEvaluation(ElderModel model, EvaluationSet set)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(set);
        (Model, Set) = (model, set);
        foreach (EditRequest request in set.Edited.Concat(set.HeldOut))
        {
            model.Encoder.Encode(request);
        }

        unedited = [.. set.Unedited.Select(model.Encoder.EncodePrompt)];
        locality = [.. set.Locality.Select(model.Encoder.EncodePrompt)];
    }

    /// <summary>The base model.</summary>
    public ElderModel Model { get; }

    /// <summary>What is asked.</summary>
    public EvaluationSet Set { get; }

    /// <summary>Whether the outcomes of deferred task prompts are taken over from the base's; off only to check that it makes no difference.</summary>
    public bool ReuseBaseOutcomes { get; init; } = true;

    /// <summary>Asks everything.</summary>
    /// <param name="name">The method's name in tables.</param>
    /// <param name="snapshot">The edited model.</param>
    /// <param name="stream">What learning the edits cost.</param>
    /// <param name="progress">Told after every batch of questions.</param>
    /// <param name="cancellationToken">Stops between batches.</param>
    public MethodOutcome Measure(
        string name, IEditSnapshot snapshot, StreamOutcome stream,
        IProgress<ExperimentProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(stream);
        IReadOnlyList<TaskOutcome> before = BaseOutcomes(progress, cancellationToken);
        int total = Set.Edited.Count + Set.HeldOut.Count + unedited.Count + locality.Count + before.Count;
        PhaseClock clock = new(progress, name, "asking", total);
        IReadOnlyList<AnswerOutcome> edited = AnswerExam.Ask(Model, snapshot, Set.Edited, clock, cancellationToken);
        IReadOnlyList<AnswerOutcome> heldOut = AnswerExam.Ask(Model, snapshot, Set.HeldOut, clock, cancellationToken);
        IReadOnlyList<ScopeDecision> others = Decisions(snapshot, unedited, clock, cancellationToken);
        IReadOnlyList<ScopeDecision> near = Decisions(snapshot, locality, clock, cancellationToken);
        IReadOnlyList<TaskOutcome> tasks = before;
        IReadOnlyList<ScopeDecision> taskScope = [];
        if (snapshot is BaseEditor)
        {
            clock.Advance(before.Count);
        }
        else if (Set.Tasks is { } suite)
        {
            (tasks, taskScope) = RetentionExam.Run(Model, snapshot, suite, ReuseBaseOutcomes ? before : null, clock, cancellationToken);
        }

        AnswerOutcome[] asked = [.. edited, .. heldOut];
        bool hasScope = asked.Select(a => a.Scope).Concat(others).Concat(near).Concat(taskScope).Any(d => !double.IsNaN(d.Evidence));
        MethodResult result = new()
        {
            Name = name,
            Reliability = Read(edited) ?? default,
            Generalization = Read(heldOut),
            DeferralOfTasks = hasScope ? Share(taskScope, d => !d.InScope) : null,
            DeferralOfUnedited = hasScope ? Share(others, d => !d.InScope) : null,
            DeferralOfLocality = hasScope ? Share(near, d => !d.InScope) : null,
            ScopeRecall = hasScope ? Share(asked, a => a.Scope.InScope) : null,
            Retention = Set.Tasks is null ? null : TaskSuite.Mean(tasks),
            RetentionBase = Set.Tasks is null ? null : TaskSuite.Mean(before),
            SecondsPerEdit = stream.Edits == 0 ? 0 : stream.Seconds / stream.Edits,
            AddedParameters = stream.AddedParameters,
        };
        return new MethodOutcome(result, edited, heldOut, others, tasks, stream.Curve);
    }

    private IReadOnlyList<TaskOutcome> BaseOutcomes(IProgress<ExperimentProgress>? progress, CancellationToken cancellationToken)
    {
        if (baseOutcomes is null && Set.Tasks is { } suite)
        {
            PhaseClock clock = new(progress, "base", "general tasks", suite.Examples.Count);
            baseOutcomes = RetentionExam.Run(Model, new BaseEditor(Model.Transformer), suite, null, clock, cancellationToken).Outcomes;
        }

        return baseOutcomes ?? [];
    }

    // What the base decides is known without asking.
    private static IReadOnlyList<ScopeDecision> Decisions(IEditSnapshot snapshot, IReadOnlyList<int[]> prompts, PhaseClock clock, CancellationToken cancellationToken)
    {
        if (snapshot is not BaseEditor)
        {
            return AnswerExam.Scope(snapshot, prompts, clock, cancellationToken);
        }

        clock.Advance(prompts.Count);
        return [.. prompts.Select(_ => new ScopeDecision(InScope: false))];
    }

    private static Readings? Read(IReadOnlyList<AnswerOutcome> outcomes) => outcomes.Count == 0
        ? null
        : new Readings(outcomes.Average(o => o.TeacherForced ? 1.0 : 0), outcomes.Average(o => o.Generated ? 1.0 : 0));

    private static double? Share<T>(IReadOnlyList<T> items, Func<T, bool> holds) =>
        items.Count == 0 ? null : items.Count(holds) / (double)items.Count;
}
