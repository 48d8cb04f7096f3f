using ElderManaged.Models.Generation;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests;

public class EditBatchRowsTests
{
    [Fact]
    public void Rows_are_prompts_and_targets_without_the_last_token()
    {
        EditBatchRows rows = new([new("a", [1, 2, 3], [4, 5], []), new("b", [6], [7], [])]);

        Assert.Equal([1, 2, 3, 4, 6], rows.Ids);
        Assert.Equal([2, 3, 4], rows.TargetRows);
        Assert.Equal([4, 5, 7], rows.Targets);
        Assert.Equal([2, 4], rows.LastPromptRows);
        Assert.Equal([4, 1], rows.Layout.Lengths.ToArray());
    }

    [Fact]
    public void Empty_batches_and_edits_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new EditBatchRows([]));
        Assert.Contains("0 target", Assert.Throws<ArgumentException>(() => new EditBatchRows([new("a", [1], [], [])])).Message);
    }

    [Theory]
    [InlineData("gpt2", 0)]
    [InlineData("gpt2", 2)]
    [InlineData("llama", 3)]
    public void Loss_is_the_mean_over_target_tokens_wherever_it_starts(string architecture, int layer)
    {
        ElderModel model = TinyModels.Of(architecture);
        EncodedEdit[] edits = TinyModels.Encode(model, TinyModels.Facts);
        AnswerScore[] scores = AnswerScorer.Score(
            PromptBatch.OfBase(model.Transformer, [.. edits.Select(e => e.Prompt)]), [.. edits.Select(e => e.Target)]);
        double expected = -edits.Zip(scores, (e, s) => e.Target.Length * s.MeanLogProbability).Sum() / edits.Sum(e => e.Target.Length);
        EditBatchRows rows = new(edits);

        float loss = rows.Loss(model.Transformer, rows.HiddenEntering(model.Transformer, layer), layer, null).Value;

        Assert.Equal(expected, loss, 1e-5);
    }
}
