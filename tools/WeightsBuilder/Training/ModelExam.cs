using ElderManaged.Models;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Tokenizers;
using ElderManaged.WeightsBuilder.World;

namespace ElderManaged.WeightsBuilder.Training;

/// <summary>Asks a model what it should know of its world.</summary>
public static class ModelExam
{
    private const int Batch = 64;

    /// <summary>
    /// The share of (fact, wording) pairs that the model answers right and then ends: every token of object and end of
    /// text is the most likely one, which is what greedy generation would write.
    /// </summary>
    /// <param name="model">A frozen or trainable model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="world">What is true.</param>
    /// <param name="every">Ask every n-th pair only.</param>
    /// <param name="progress">The share of pairs asked so far.</param>
    public static double Facts(TransformerModel model, ITokenizer tokenizer, SyntheticWorld world, int every = 1, IProgress<double>? progress = null)
    {
        (int[] Prompt, int[] Answer)[] questions = [.. world.Facts
            .SelectMany(fact => world.RelationOf(fact).Wordings.Select(wording => (fact, wording)))
            .Where((_, i) => i % every == 0)
            .Select(q => (
                tokenizer.Encode(Relation.Ask(q.wording, q.fact.Subject)),
                (int[])[.. tokenizer.Encode(" " + q.fact.Object), tokenizer.EndOfTextId]))];
        int right = 0;
        for (int i = 0; i < questions.Length; i += Batch)
        {
            var chunk = questions[i..Math.Min(i + Batch, questions.Length)];
            PromptBatch prompts = PromptBatch.OfBase(model, [.. chunk.Select(q => q.Prompt)]);
            right += AnswerScorer.Score(prompts, [.. chunk.Select(q => q.Answer)]).Count(score => score.Greedy);
            progress?.Report((double)(i + chunk.Length) / questions.Length);
        }

        return (double)right / questions.Length;
    }
}
