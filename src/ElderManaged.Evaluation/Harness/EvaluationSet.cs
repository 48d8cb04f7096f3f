using ElderManaged.Editing;
using ElderManaged.Evaluation.Tasks;

namespace ElderManaged.Evaluation.Harness;

/// <summary>What an edited model is asked.</summary>
/// <param name="Edited">The edits themselves, all of them, asked after the last one was learned.</param>
/// <param name="HeldOut">Other wordings of the same facts with the same targets, which were not trained.</param>
/// <param name="Unedited">Prompts of the same form about facts that were not edited.</param>
/// <param name="Tasks">The general tasks; null when the model has none.</param>
public sealed record EvaluationSet(
    IReadOnlyList<EditRequest> Edited, IReadOnlyList<EditRequest> HeldOut, IReadOnlyList<string> Unedited, TaskSuite? Tasks)
{
    /// <summary>Prompts that the data set itself wants left alone: CounterFact's neighbourhood, ZsRE's unrelated questions.</summary>
    public IReadOnlyList<string> Locality { get; init; } = [];
}

/// <summary>How a model answered one prompt whose answer is known.</summary>
/// <param name="Request">The prompt and its right answer.</param>
/// <param name="TeacherForced">Whether every target token was the most likely one.</param>
/// <param name="Generated">Whether the text written is the target, and ends where the target does.</param>
/// <param name="Text">What the model wrote.</param>
/// <param name="Scope">What the method decided about the prompt.</param>
public sealed record AnswerOutcome(EditRequest Request, bool TeacherForced, bool Generated, string Text, ScopeDecision Scope);

/// <summary>Everything measured of a method, question by question.</summary>
/// <param name="Result">The figures.</param>
/// <param name="Edited">One outcome for each of <see cref="EvaluationSet.Edited"/>.</param>
/// <param name="HeldOut">One outcome for each of <see cref="EvaluationSet.HeldOut"/>.</param>
/// <param name="Unedited">The decision for each of <see cref="EvaluationSet.Unedited"/>.</param>
/// <param name="Tasks">One outcome for each task example; empty without tasks.</param>
/// <param name="Curve">Reliability along the stream; may be empty.</param>
public sealed record MethodOutcome(
    MethodResult Result, IReadOnlyList<AnswerOutcome> Edited, IReadOnlyList<AnswerOutcome> HeldOut,
    IReadOnlyList<ScopeDecision> Unedited, IReadOnlyList<TaskOutcome> Tasks, IReadOnlyList<CurvePoint> Curve);
