using ElderManaged.Tensors;

namespace ElderManaged.Models.Generation;

/// <summary>How a model takes to a given answer, each token after the true ones before it (teacher-forced).</summary>
/// <param name="Greedy">Whether every token of the answer is the most likely one.</param>
/// <param name="MeanLogProbability">The mean of ln p over the answer's tokens.</param>
public readonly record struct AnswerScore(bool Greedy, double MeanLogProbability);

/// <summary>Scores answers to prompts in one pass over the answers' tokens.</summary>
public static class AnswerScorer
{
    /// <summary>One score for each prompt of the batch.</summary>
    /// <param name="batch">The prompts; its cache is left as it was.</param>
    /// <param name="answers">Token ids of each answer, at least one (with the end token, if that shall count).</param>
    public static AnswerScore[] Score(PromptBatch batch, IReadOnlyList<int[]> answers)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(answers);
        if (answers.Count != batch.Prompts.Count || answers.Any(a => a.Length == 0))
        {
            throw new ArgumentException($"Score: {batch.Prompts.Count} prompts need as many non-empty answers, got {answers.Count(a => a.Length > 0)}.");
        }

        if (answers.Count == 0)
        {
            return [];
        }

        using Tape tape = Tape.Start(record: false);
        SequenceLayout layout = new([.. answers.Select(a => a.Length)], [.. batch.Prompts.Select(p => p.Length - 1)]);
        int[] ids = new int[layout.Rows];
        int[] targets = new int[layout.Rows];
        for (int s = 0; s < answers.Count; s++)
        {
            // Row 0 is the last prompt token, which predicts the answer's first; row t the answer's token t − 1.
            ids[layout.Starts[s]] = batch.Prompts[s][^1];
            answers[s].AsSpan(0, answers[s].Length - 1).CopyTo(ids.AsSpan(layout.Starts[s] + 1));
            answers[s].CopyTo(targets.AsSpan(layout.Starts[s]));
        }

        int[] all = [.. Enumerable.Range(0, answers.Count)];
        ForwardContext context = new(layout) { Cache = batch.Cache, Adapter = batch.AdapterFor(all, layout) };
        Tensor logits = batch.Model.Logits(batch.Model.Forward(ids, context));
        float[] losses = new float[layout.Rows];
        bool[] hits = new bool[layout.Rows];
        Op.TokenLosses(logits, targets, losses, hits);
        AnswerScore[] scores = new AnswerScore[answers.Count];
        for (int s = 0; s < scores.Length; s++)
        {
            Range rows = layout.Starts[s]..(layout.Starts[s] + layout.Lengths[s]);
            double sum = 0;
            foreach (float loss in losses[rows])
            {
                sum += loss;
            }

            scores[s] = new AnswerScore(hits[rows].All(hit => hit), -sum / layout.Lengths[s]);
        }

        return scores;
    }
}
