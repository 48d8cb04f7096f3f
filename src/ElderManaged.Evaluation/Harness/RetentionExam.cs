using ElderManaged.Editing;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Evaluation.Harness;

/// <summary>
/// The general tasks after editing. What a method defers is the base model's answer, bit for bit, so those outcomes are
/// taken over from the base's run instead of being generated again.
/// </summary>
internal static class RetentionExam
{
    internal static (IReadOnlyList<TaskOutcome> Outcomes, IReadOnlyList<ScopeDecision> Scope) Run(
        ElderModel model, IEditSnapshot snapshot, TaskSuite suite, IReadOnlyList<TaskOutcome>? baseOutcomes, PhaseClock? clock, CancellationToken cancellationToken)
    {
        if (baseOutcomes is null)
        {
            List<ScopeDecision> seen = [];
            return (Generate(model, suite, prompts => Watch(snapshot, prompts, seen), clock, cancellationToken), seen);
        }

        IReadOnlyList<ScopeDecision> scope = AnswerExam.Scope(snapshot, [.. suite.Examples.Select(e => model.Tokenizer.EncodePrompt(e.Prompt))], null, cancellationToken);
        TaskSuite inScope = new(suite.Examples.Where((_, i) => scope[i].InScope));
        clock?.Advance(suite.Examples.Count - inScope.Examples.Count);
        Queue<TaskOutcome> generated = new(inScope.Examples.Count == 0 ? [] : Generate(model, inScope, snapshot.Prepare, clock, cancellationToken));
        return ([.. scope.Select((decision, i) => decision.InScope ? generated.Dequeue() : baseOutcomes[i])], scope);
    }

    private static EditedPrompts Watch(IEditSnapshot snapshot, IReadOnlyList<int[]> prompts, List<ScopeDecision> seen)
    {
        EditedPrompts prepared = snapshot.Prepare(prompts);
        seen.AddRange(prepared.Scope);
        return prepared;
    }

    private static IReadOnlyList<TaskOutcome> Generate(
        ElderModel model, TaskSuite suite, Func<IReadOnlyList<int[]>, PromptBatch> prepare, PhaseClock? clock, CancellationToken cancellationToken)
    {
        int before = 0;
        return suite.Run(model.Tokenizer, prepare, new Inline(done =>
        {
            clock?.Advance(done - before);
            before = done;
        }), cancellationToken);
    }

    // Progress<T> would report from another thread, after the fact.
    private sealed class Inline(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}
