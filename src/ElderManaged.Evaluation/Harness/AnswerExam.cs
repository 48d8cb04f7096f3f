using ElderManaged.Editing;
using ElderManaged.Evaluation.Metrics;
using ElderManaged.Models.Generation;

namespace ElderManaged.Evaluation.Harness;

/// <summary>
/// Asks prompts whose answers are known, in both readings, from one preparation of each prompt: the decision and the
/// cache are shared, so both readings see the same model.
/// </summary>
internal static class AnswerExam
{
    private const int Batch = 64;

    // What a generated answer may be longer than the target before it counts as not ending.
    private const int Slack = 4;

    internal static IReadOnlyList<AnswerOutcome> Ask(
        ElderModel model, IEditSnapshot snapshot, IReadOnlyList<EditRequest> requests, PhaseClock? clock, CancellationToken cancellationToken)
    {
        List<AnswerOutcome> outcomes = new(requests.Count);
        foreach ((EditRequest[] chunk, EditedPrompts prompts, int[][] targets) in Chunks(model, snapshot, requests, cancellationToken))
        {
            AnswerScore[] scores = AnswerScorer.Score(prompts, targets);
            int longest = targets.Max(t => t.Length) + Slack;
            int[][] written = Generator.Generate(prompts, new GenerationOptions { MaxTokens = longest }, cancellationToken: cancellationToken);
            for (int i = 0; i < chunk.Length; i++)
            {
                // Greedy generation goes the same way whatever the limit, so each prompt's own limit is a cut.
                int[] ids = written[i].Length > targets[i].Length + Slack ? written[i][..(targets[i].Length + Slack)] : written[i];
                string text = model.Tokenizer.Decode(ids);
                outcomes.Add(new AnswerOutcome(chunk[i], scores[i].Greedy, ExactMatch.Matches(text, chunk[i].Target), text.Trim(), prompts.Scope[i]));
            }

            clock?.Advance(chunk.Length);
        }

        return outcomes;
    }

    /// <summary>The teacher-forced reading alone, for curves along the stream.</summary>
    internal static double TeacherForced(ElderModel model, IEditSnapshot snapshot, IReadOnlyList<EditRequest> requests, CancellationToken cancellationToken)
    {
        int right = 0;
        foreach ((_, EditedPrompts prompts, int[][] targets) in Chunks(model, snapshot, requests, cancellationToken))
        {
            right += AnswerScorer.Score(prompts, targets).Count(s => s.Greedy);
        }

        return right / (double)requests.Count;
    }

    /// <summary>The decisions alone.</summary>
    internal static IReadOnlyList<ScopeDecision> Scope(
        IEditSnapshot snapshot, IReadOnlyList<int[]> prompts, PhaseClock? clock, CancellationToken cancellationToken)
    {
        List<ScopeDecision> scope = new(prompts.Count);
        foreach (int[][] chunk in PromptChunks.Split(prompts, p => p.Length, Batch))
        {
            cancellationToken.ThrowIfCancellationRequested();
            scope.AddRange(snapshot.Prepare(chunk).Scope);
            clock?.Advance(chunk.Length);
        }

        return scope;
    }

    private static IEnumerable<(EditRequest[] Chunk, EditedPrompts Prompts, int[][] Targets)> Chunks(
        ElderModel model, IEditSnapshot snapshot, IReadOnlyList<EditRequest> requests, CancellationToken cancellationToken)
    {
        // Older papers count the target's own tokens only; whether the answer also ends is what the generated reading asks.
        EditEncoder encoder = new(model.Tokenizer, trainEndToken: false, model.Transformer.Config);
        IEnumerable<(EditRequest Request, EncodedEdit Encoded)> encoded = requests.Select(r => (r, encoder.Encode(r)));
        foreach ((EditRequest Request, EncodedEdit Encoded)[] chunk in PromptChunks.Split(encoded, e => e.Encoded.Prompt.Length, Batch))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return (
                [.. chunk.Select(c => c.Request)], snapshot.Prepare([.. chunk.Select(c => c.Encoded.Prompt)]), [.. chunk.Select(c => c.Encoded.Target)]);
        }
    }
}
