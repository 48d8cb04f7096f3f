using ElderManaged.Editing;

namespace ElderManaged.Evaluation.Harness;

/// <summary>
/// The demonstration: one stream of counterfactual edits, learned by each method from the same base model, and the same
/// questions to each afterwards.
/// </summary>
/// <param name="model">The base model.</param>
/// <param name="plan">What is edited and asked.</param>
/// <param name="options">The sizes that the plan was made with.</param>
public sealed class DemoExperiment(ElderModel model, DemoPlan plan, DemoOptions options)
{
    // A curve of five points costs about as many questions as asking all edits twice more.
    private const int CurvePoints = 5;

    /// <summary>Runs the methods, one after another.</summary>
    /// <param name="methods">Names, see <see cref="EditMethods.All"/>.</param>
    /// <param name="create">Makes a fresh editor of a name.</param>
    /// <param name="progress">Told after every batch of edits and of questions.</param>
    /// <param name="cancellationToken">Stops between batches.</param>
    public IReadOnlyList<MethodOutcome> Run(
        IReadOnlyList<string> methods, Func<string, IModelEditor> create,
        IProgress<ExperimentProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(methods);
        ArgumentNullException.ThrowIfNull(create);
        EditEvaluation evaluation = new(model, plan.Set);
        List<MethodOutcome> outcomes = [];
        foreach (string name in methods)
        {
            IModelEditor editor = create(name);
            StreamOutcome stream = editor is BaseEditor
                ? new StreamOutcome(0, 0, 0, [])
                : EditStream.Learn(model, editor, plan.Set.Edited, options.BatchSize, CurvePoints, progress, cancellationToken);
            outcomes.Add(evaluation.Measure(name, editor.Current, stream, progress, cancellationToken));
        }

        return outcomes;
    }

    /// <summary>The figures of a run.</summary>
    /// <param name="outcomes">What <see cref="Run"/> found.</param>
    public ExperimentResult Summarize(IEnumerable<MethodOutcome> outcomes) =>
        new(plan.Set.Edited.Count, plan.Set.Edited.Select(EditEncoder.FactIdOf).Distinct(StringComparer.Ordinal).Count(), [.. outcomes.Select(o => o.Result)]);
}
