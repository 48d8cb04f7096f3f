using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Generation;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class MixtureTrainingTests
{
    public static TheoryData<string, bool> Variants => new()
    {
        { "gpt2", true }, { "gpt2", false }, { "llama", true }, { "llama", false },
    };

    [Theory]
    [MemberData(nameof(Variants))]
    public void AnIterationAllocatesNothing(string architecture, bool paper)
    {
        TransformerModel model = ModelOf(architecture);
        ElderEditor editor = new(model, OptionsOf(model, paper) with { Iterations = 80, EarlyStopProbability = paper ? null : 1f, EarlyStopPatience = 80 });
        List<long> allocated = [];
        long before = 0;
        editor.IterationDone = _ =>
        {
            allocated.Add(GC.GetAllocatedBytesForCurrentThread() - before);
            before = GC.GetAllocatedBytesForCurrentThread();
        };
        EncodedEdit[] edits = TinyModels.Edits(3, 24);
        for (int b = 0; b < 6; b++)
        {
            allocated.Clear();
            editor.Edit(edits[(4 * b)..(4 * (b + 1))]);
        }

        // The first one of a batch begins with the batch; what the runtime compiles meanwhile may fall into a few others.
        Assert.True(allocated.Skip(1).Count(bytes => bytes == 0) > 60, $"Bytes of each iteration: {string.Join(' ', allocated)}.");
    }

    [Fact]
    public void ABatchMovesTheLorasOfItsFactsAlone()
    {
        TransformerModel model = TinyModels.Gpt2;
        ElderEditor editor = new(model);
        float[][] before = editor.Mixture.CopyValues();
        Assert.All(editor.Mixture.SquaredMoves(before), move => Assert.Equal(0, move));
        editor.Edit(TinyModels.Edits(4, 1));
        double[] moves = editor.Mixture.SquaredMoves(before);
        Allocation allocation = editor.AllocationOf("fact 0")!;
        int n = editor.Options.LoraCount;
        for (int i = 0; i < moves.Length; i++)
        {
            Assert.Equal(allocation.Layer(i / n).Contains(i % n), moves[i] > 0);
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void PreparedTogetherIsPreparedAlone(string architecture, bool paper)
    {
        TransformerModel model = ModelOf(architecture);
        ElderOptions options = OptionsOf(model, paper);
        RandomSource random = new(6);
        (int[], int[])[] edits = [.. Enumerable.Range(1, 9).Select(i => (TinyModels.Prompt(random, i), TinyModels.Prompt(random, 1 + (i % 3))))];
        PreparedEdit[] together = PreparedEdit.Prepare(model, options, edits);
        for (int i = 0; i < edits.Length; i++)
        {
            PreparedEdit alone = PreparedEdit.Prepare(model, options, edits[i].Item1, edits[i].Item2);
            Assert.Equal(Numbers(alone.Hidden), Numbers(together[i].Hidden));
            Assert.Equal(Numbers(alone.Input), Numbers(together[i].Input));
            Assert.Equal(Numbers(alone.Output), Numbers(together[i].Output));
            Assert.Equal(Numbers(alone.Query), Numbers(together[i].Query));
            Assert.Equal((alone.Rows, alone.PastLength, alone.Bytes), (together[i].Rows, together[i].PastLength, together[i].Bytes));
            for (int layer = 0; alone.Past is not null && layer < model.LayerCount; layer++)
            {
                Assert.Equal(Numbers(alone.Past.Layer(layer)[0]), Numbers(together[i].Past!.Layer(layer)[0]));
            }
        }
    }

    private static float[]? Numbers(Tensor? tensor) => tensor?.ReadOnlySpan.ToArray();

    private static float[] Numbers(KeyValueSegment segment) =>
    [
        .. from position in Enumerable.Range(0, segment.Length)
           from column in Enumerable.Range(0, segment.Width)
           from number in new[] { segment.Key(position, column), segment.Value(position, column) }
           select number,
    ];

    /// <summary>B is zero before the first step, so the first loss is the base model's, whatever was left out on the way to it.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public void TheFirstLossIsTheBaseModels(string architecture, bool paper)
    {
        TransformerModel model = ModelOf(architecture);
        EncodedEdit[] edits = TinyModels.Edits(9, 5);
        AnswerScore[] scores = AnswerScorer.Score(PromptBatch.OfBase(model, [.. edits.Select(e => e.Prompt)]), [.. edits.Select(e => e.Target)]);
        double expected = -scores.Select((s, i) => s.MeanLogProbability * edits[i].Target.Length).Sum() / edits.Sum(e => e.Target.Length);
        int last = model.LayerCount - 1;
        foreach (int[] layers in (int[][])[[last], [last - 1], [last - 1, last]])
        {
            ElderEditor editor = new(model, OptionsOf(model, paper) with { Layers = layers, Iterations = 20 });
            List<double> losses = [];
            editor.IterationDone = iteration => losses.Add(iteration.TargetLoss);
            editor.Edit(edits);
            Assert.Equal(expected, losses[0], 1e-4);
            Assert.True(losses[^1] < losses[0], $"The loss went from {losses[0]} to {losses[^1]}.");
        }
    }

    internal static TransformerModel ModelOf(string architecture) => architecture == "gpt2" ? TinyModels.Gpt2 : TinyModels.Llama;

    internal static ElderOptions OptionsOf(TransformerModel model, bool paper) =>
        paper ? ElderOptions.Paper(model) with { LearningRate = 1e-3f } : ElderOptions.Default(model);
}
