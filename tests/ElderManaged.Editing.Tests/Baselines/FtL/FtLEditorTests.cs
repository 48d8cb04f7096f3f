using ElderManaged.Editing.Baselines.FtL;
using ElderManaged.Models;
using ElderManaged.Tensors;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Editing.Tests.Baselines.FtL;

public class FtLEditorTests
{
    [Fact]
    public void No_batch_moves_a_weight_beyond_the_clamp()
    {
        ElderModel model = TinyModels.Gpt2;
        EncodedEdit[] edits = TinyModels.Encode(model, [.. TinyModels.Facts, .. TinyModels.MoreFacts]);
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            RandomSource random = new((ulong)(uint)seed);
            float clamp = 1e-4f * (1 + random.Next(30));
            FtLEditor editor = new(model.Transformer, new FtLOptions
            {
                Clamp = clamp, LearningRate = clamp * (0.1f + (4 * random.NextFloat())), MaxSteps = 1 + random.Next(12), Layer = random.Next(4),
            });
            for (int batch = 0; batch < 3; batch++)
            {
                float[] before = editor.Delta.ToArray();
                random.Shuffle<EncodedEdit>(edits);
                editor.Edit(edits[..(1 + random.Next(4))]);
                float largest = before.Zip(editor.Delta.ToArray(), (b, a) => Math.Abs(a - b)).Max();
                Assert.InRange(largest, clamp * 1e-3f, clamp * (1 + 1e-5f) + 1e-9f);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(10).WithReplay(7UL, 1UL));
    }

    [Fact]
    public void Training_stops_below_the_stop_loss_and_after_the_most_steps()
    {
        ElderModel model = TinyModels.Gpt2;
        EncodedEdit[] edits = TinyModels.Encode(model, TinyModels.Facts);
        FtLEditor few = new(model.Transformer, new FtLOptions { MaxSteps = 3 });
        FtLEditor easy = new(model.Transformer, new FtLOptions { StopLoss = 100 });

        Assert.Equal(3, few.Edit(edits).Iterations);
        Assert.Equal(0, easy.Edit(edits).Iterations);
        Assert.All(easy.Delta.ToArray(), d => Assert.Equal(0, d));
    }

    [Fact]
    public void The_difference_stands_beside_the_output_matrix_of_one_layer()
    {
        TransformerModel gpt2 = TinyModels.Gpt2.Transformer, llama = TinyModels.Of("llama").Transformer;

        Assert.Equal(0, new FtLEditor(gpt2).Layer);
        Assert.Equal(2, new FtLEditor(llama).Layer); // 21/32 of the depth
        Assert.Equal(32 * 64, new FtLEditor(gpt2).AddedParameters);
    }
}
