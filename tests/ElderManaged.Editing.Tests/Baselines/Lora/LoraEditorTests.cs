using ElderManaged.Editing.Baselines.Lora;
using ElderManaged.Models;
using ElderManaged.Models.Generation;

namespace ElderManaged.Editing.Tests.Baselines.Lora;

public class LoraEditorTests
{
    [Fact]
    public void Parameters_are_rank_times_both_widths_in_each_layer()
    {
        TransformerModel model = TinyModels.Gpt2.Transformer;
        LoraEditor editor = new(model);

        Assert.Equal([2, 3], editor.Layers);
        Assert.Equal(2 * 32 * (32 + 64), editor.AddedParameters);
    }

    [Fact]
    public void Alpha_defaults_to_the_rank_and_scales_the_term()
    {
        ElderModel model = TinyModels.Gpt2;
        EncodedEdit[] edits = TinyModels.Encode(model, TinyModels.Facts);
        LoraOptions options = new() { Rank = 4, Iterations = 5, LearningRate = 1e-2f, Layers = [1, 3] };
        LoraEditor full = new(model.Transformer, options), same = new(model.Transformer, options with { Alpha = 4 }), half = new(model.Transformer, options with { Alpha = 2 });

        double loss = full.Edit(edits).FinalLoss;

        Assert.Equal(loss, same.Edit(edits).FinalLoss);
        Assert.NotEqual(loss, half.Edit(edits).FinalLoss);
    }

    [Fact]
    public void Another_seed_learns_another_term()
    {
        ElderModel model = TinyModels.Gpt2;
        EncodedEdit[] edits = TinyModels.Encode(model, TinyModels.Facts);
        LoraEditor one = new(model.Transformer, new LoraOptions { Seed = 1, Iterations = 3 });
        LoraEditor again = new(model.Transformer, new LoraOptions { Seed = 1, Iterations = 3 });
        LoraEditor two = new(model.Transformer, new LoraOptions { Seed = 2, Iterations = 3 });
        one.Edit(edits);
        again.Edit(edits);
        two.Edit(edits);

        Assert.Equal(TinyModels.Scores(model, one.Current), TinyModels.Scores(model, again.Current));
        Assert.NotEqual(TinyModels.Scores(model, one.Current), TinyModels.Scores(model, two.Current));
    }

    [Fact]
    public void Prompts_have_the_same_bits_alone_and_together()
    {
        ElderModel model = TinyModels.Gpt2;
        LoraEditor editor = new(model.Transformer, new LoraOptions { Iterations = 10, LearningRate = 1e-2f });
        EncodedEdit[] edits = TinyModels.Encode(model, TinyModels.Facts);
        editor.Edit(edits);

        AnswerScore[] together = AnswerScorer.Score(editor.Current.Prepare([.. edits.Select(e => e.Prompt)]), [.. edits.Select(e => e.Target)]);

        for (int i = 0; i < edits.Length; i++)
        {
            Assert.Equal(AnswerScorer.Score(editor.Current.Prepare([edits[i].Prompt]), [edits[i].Target])[0], together[i]);
        }
    }
}
