using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Generation;
using ElderManaged.Tensors;
using ElderManaged.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class ElderEditorTests
{
    private static readonly string[] Variants = ["gpt2 paper", "llama paper", "gpt2 default", "llama default"];

    public static TheoryData<string> AllVariants => [.. Variants];

    [Theory]
    [MemberData(nameof(AllVariants))]
    public void EditsAreLearnedAndKept(string variant)
    {
        ElderEditor editor = NewEditor(variant);
        EncodedEdit[] edits = TinyModels.Edits(1, 6);
        EditBatchResult first = editor.Edit(edits[..3]);
        editor.Edit(edits[3..]);
        EncodedEdit[] kept = variant.Contains("paper", StringComparison.Ordinal) ? edits[3..] : edits;
        EditedPrompts prepared = editor.Current.Prepare([.. kept.Select(e => e.Prompt)]);
        AnswerScore[] scores = AnswerScorer.Score(prepared, [.. kept.Select(e => e.Target)]);
        AnswerScore[] before = AnswerScorer.Score(PromptBatch.OfBase(editor.Model, [.. kept.Select(e => e.Prompt)]), [.. kept.Select(e => e.Target)]);
        Assert.All(prepared.Scope, s => Assert.True(s.InScope));
        Assert.DoesNotContain(before, s => s.Greedy);
        Assert.All(scores, s => Assert.True(s.Greedy));
        Assert.InRange(first.Iterations, 1, editor.Options.Iterations);
        Assert.True(double.IsFinite(first.FinalLoss));
    }

    [Fact]
    public void DeferredPromptsAreTheBaseBitForBitInEveryMixture() => Prop.ForAll(
        (from variant in Gen.Elements(Variants)
         from seed in Gen.Choose(0, 1_000_000)
         from count in Gen.Choose(1, 6)
         select (variant, seed, count)).ToArbitrary(),
        c =>
        {
            ElderEditor editor = Trained(c.variant);
            RandomSource random = new((ulong)c.seed);
            EncodedEdit[] edits = TinyModels.Edits(1, 6);
            int[][] prompts = [.. Enumerable.Range(0, c.count).Select(i => random.Next(2) == 0 ? edits[random.Next(6)].Prompt : TinyModels.Prompt(random))];
            EditedPrompts prepared = editor.Current.Prepare(prompts);
            float[][] found = Logits(prepared), expected = Logits(PromptBatch.OfBase(editor.Model, prompts));
            for (int i = 0; i < prompts.Length; i++)
            {
                bool same = found[i].AsSpan().SequenceEqual(expected[i]);
                Assert.True(same != prepared.Scope[i].InScope, $"{c.variant}, prompt {i}: in scope {prepared.Scope[i].InScope}, equal to the base {same}.");
            }
        }).QuickCheckThrowOnFailure();

    [Theory]
    [MemberData(nameof(AllVariants))]
    public void ManyPromptsTogetherAreTheSameAsOneByOne(string variant)
    {
        ElderEditor editor = Trained(variant);
        RandomSource random = new(8);
        int[][] prompts = [.. TinyModels.Edits(1, 6).Select(e => e.Prompt), .. Enumerable.Range(0, 6).Select(_ => TinyModels.Prompt(random))];
        EditedPrompts together = editor.Current.Prepare(prompts);
        float[][] logits = Logits(together);
        Assert.Contains(together.Scope, s => s.InScope);
        for (int i = 0; i < prompts.Length; i++)
        {
            EditedPrompts alone = editor.Current.Prepare([prompts[i]]);
            Assert.Equal(together.Scope[i], alone.Scope[0]);
            Assert.All(Logits(alone)[0].Zip(logits[i]), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        }
    }

    [Theory]
    [MemberData(nameof(AllVariants))]
    public void ContinuingAfterLoadingGivesTheSameBits(string variant)
    {
        using TemporaryFolder folder = new();
        EncodedEdit[] edits = TinyModels.Edits(2, 9);
        ElderEditor whole = NewEditor(variant), stopped = NewEditor(variant), loaded = NewEditor(variant);
        foreach (ElderEditor editor in (ElderEditor[])[whole, stopped])
        {
            editor.Edit(edits[..3]);
            editor.Edit(edits[3..6]);
        }

        stopped.Save(folder.Path);
        loaded.Load(folder.Path);
        AssertSameState(stopped, loaded);
        whole.Edit(edits[6..]);
        loaded.Edit(edits[6..]);
        AssertSameState(whole, loaded);
        Assert.False(whole.Mixture.Parameters[0].Value.Span.SequenceEqual(stopped.Mixture.Parameters[0].Value.Span));
    }

    [Theory]
    [InlineData(GuidedMode.Soft, RouterLoss.Balancing)]
    [InlineData(GuidedMode.Soft, RouterLoss.None)]
    [InlineData(GuidedMode.Hard, RouterLoss.Guided)]
    public void AblationsTrainAndSayWhatTheyMinimise(GuidedMode mode, RouterLoss routerLoss)
    {
        ElderEditor editor = new(TinyModels.Gpt2, Options("gpt2 paper") with { Mode = mode, RouterLoss = routerLoss, Lambda = 0.5f });
        List<ElderIteration> iterations = [];
        editor.IterationDone = iterations.Add;
        editor.Edit(TinyModels.Edits(1, 3));
        Assert.Equal(50, iterations.Count);
        Assert.All(iterations, i => Assert.Equal(i.TargetLoss + (0.5 * i.RouterLoss), i.TotalLoss, 1e-4));
        Assert.Equal(routerLoss == RouterLoss.None, iterations.All(i => i.RouterLoss == 0));
        Assert.True(iterations[^1].TargetLoss < iterations[0].TargetLoss / 2);
        Assert.True(routerLoss != RouterLoss.Guided || iterations[^1].RouterLoss < iterations[0].RouterLoss);
    }

    [Fact]
    public void WithoutRehearsalEarlierEditsAreNotTrainedAgain()
    {
        ElderEditor with = NewEditor("gpt2 default"), without = new(TinyModels.Gpt2, Options("gpt2 default") with { RehearsedRows = 0, ReviewedEdits = 0 });
        List<double> rehearsed = [], none = [];
        with.IterationDone = i => rehearsed.Add(i.RehearsalLoss);
        without.IterationDone = i => none.Add(i.RehearsalLoss);
        EncodedEdit[] edits = TinyModels.Edits(1, 6);
        with.Edit(edits[..3]);
        without.Edit(edits[..3]);
        Assert.All(rehearsed, loss => Assert.Equal(0, loss)); // nothing earlier yet
        rehearsed.Clear();
        with.Edit(edits[3..]);
        without.Edit(edits[3..]);
        Assert.All(rehearsed, loss => Assert.True(loss > 0));
        Assert.All(none, loss => Assert.Equal(0, loss));
    }

    [Fact]
    public void AStateOfOtherOptionsIsRefused()
    {
        using TemporaryFolder folder = new();
        Trained("gpt2 default").Save(folder.Path);
        ElderEditor other = new(TinyModels.Gpt2, Options("gpt2 default") with { Rank = 2 });
        Assert.Contains("other options", Assert.Throws<CheckpointException>(() => other.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(AllVariants))]
    public void ACancelledBatchLeavesNoTrace(string variant)
    {
        EncodedEdit[] edits = TinyModels.Edits(3, 6);
        ElderEditor disturbed = NewEditor(variant), calm = NewEditor(variant);
        disturbed.Edit(edits[..3]);
        calm.Edit(edits[..3]);
        IEditSnapshot before = disturbed.Current;
        using CancellationTokenSource source = new();
        disturbed.IterationDone = i =>
        {
            if (i.Iteration == 2)
            {
                source.Cancel();
            }
        };
        Assert.Throws<OperationCanceledException>(() => disturbed.Edit(TinyModels.Edits(99, 3), source.Token));
        Assert.Same(before, disturbed.Current);
        disturbed.IterationDone = null;
        AssertSameState(calm, disturbed);
        disturbed.Edit(edits[3..]);
        calm.Edit(edits[3..]);
        AssertSameState(calm, disturbed);
    }

    [Fact]
    public void ADivergedBatchSaysSoAndLeavesNoTrace()
    {
        ElderEditor editor = NewEditor("gpt2 paper");
        editor.Edit(TinyModels.Edits(4, 2));
        float[][] before = editor.Mixture.CopyValues();
        int seen = 0;
        editor.IterationDone = i =>
        {
            if (seen++ == 1)
            {
                editor.Mixture.Layers[0].B.Span.Fill(float.NaN);
            }
        };
        EditException error = Assert.Throws<EditException>(() => editor.Edit(TinyModels.Edits(5, 2)));
        Assert.Contains("nothing of this batch was kept", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, editor.Mixture.CopyValues());
        Assert.Equal(2, editor.Codes.Count);
    }

    [Fact]
    public void AForgottenFactIsTheBaseAgainAndTheOthersStay()
    {
        ElderEditor editor = NewEditor("gpt2 default");
        EncodedEdit[] edits = TinyModels.Edits(1, 3);
        editor.Edit(edits);
        Assert.True(editor.Forget("fact 1"));
        Assert.False(editor.Forget("fact 1"));
        EditedPrompts prepared = editor.Current.Prepare([.. edits.Select(e => e.Prompt)]);
        Assert.Equal([true, false, true], prepared.Scope.Select(s => s.InScope));
        Assert.Equal(Logits(PromptBatch.OfBase(editor.Model, prepared.Prompts))[1], Logits(prepared)[1]);
        Assert.True(AnswerScorer.Score(prepared, [.. edits.Select(e => e.Target)])[0].Greedy);
    }

    [Fact]
    public void ANewAnswerReplacesTheOldOne()
    {
        ElderEditor editor = NewEditor("gpt2 default");
        EncodedEdit old = TinyModels.Edits(1, 1)[0];
        editor.Edit([old]);
        EncodedEdit other = old with { FactId = "another id", Target = [(old.Target[0] + 1) % TinyModels.Vocabulary] };
        editor.Edit([other]);
        EditedPrompts prepared = editor.Current.Prepare([old.Prompt]);
        Assert.Equal("another id", prepared.Scope[0].FactId);
        Assert.True(AnswerScorer.Score(prepared, [other.Target])[0].Greedy);
    }

    [Fact]
    public void PhrasingsOfAFactShareItsAllocationAndASnapshotStaysAsItWas()
    {
        ElderEditor editor = NewEditor("gpt2 paper");
        EncodedEdit[] edits = TinyModels.Edits(6, 2);
        editor.Edit([edits[0]]);
        Allocation allocation = editor.AllocationOf("fact 0")!;
        IEditSnapshot before = editor.Current;
        float[] logits = Logits(before.Prepare([edits[0].Prompt]))[0];
        editor.Edit([edits[1] with { FactId = "fact 0" }]);
        Assert.Same(allocation, editor.AllocationOf("fact 0"));
        Assert.Equal(logits, Logits(before.Prepare([edits[0].Prompt]))[0]);
        Assert.NotEqual(logits, Logits(editor.Current.Prepare([edits[0].Prompt]))[0]);
    }

    [Fact]
    public void BitsDoNotDependOnTheRehearsalCache()
    {
        EncodedEdit[] edits = TinyModels.Edits(7, 8);
        ElderEditor cached = new(TinyModels.Gpt2, Options("gpt2 default"));
        ElderEditor forgetful = new(TinyModels.Gpt2, Options("gpt2 default") with { RehearsalCacheBytes = 0 });
        foreach (EncodedEdit[] batch in edits.Chunk(2))
        {
            cached.Edit(batch);
            forgetful.Edit(batch);
        }

        AssertSameState(cached, forgetful);
    }

    [Theory]
    [MemberData(nameof(AllVariants))]
    public void BitsDoNotDependOnTheNumberOfThreads(string variant)
    {
        int before = CpuThreads.Count;
        try
        {
            ElderEditor[] editors = [.. new[] { 1, 2, 3 }.Select(threads =>
            {
                CpuThreads.Count = threads;
                ElderEditor editor = NewEditor(variant);
                editor.Edit(TinyModels.Edits(7, 4));
                editor.Edit(TinyModels.Edits(8, 2));
                return editor;
            })];
            AssertSameState(editors[0], editors[1]);
            AssertSameState(editors[0], editors[2]);
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    /// <summary>Few LoRAs and no random rehearsal, so that every batch damages what was learned before.</summary>
    [Fact]
    public void ABatchEndsOnlyWhenNothingReviewedIsForgotten()
    {
        TransformerModel model = TinyModels.Gpt2;
        EncodedEdit[] edits = TinyModels.Edits(17, 20);
        int Kept(int reviewed)
        {
            ElderEditor editor = new(model, ElderOptions.Default(model) with { LoraCount = 6, RehearsedRows = 0, ReviewedEdits = reviewed, Iterations = 400 });
            foreach (EncodedEdit[] batch in edits.Chunk(4))
            {
                editor.Edit(batch);
            }

            return AnswerScorer.Score((PromptBatch)editor.Current.Prepare([.. edits.Select(e => e.Prompt)]), [.. edits.Select(e => e.Target)]).Count(s => s.Greedy);
        }

        Assert.Equal(20, Kept(reviewed: 20));
        Assert.InRange(Kept(reviewed: 0), 0, 19);
    }

    [Fact]
    public void PresetsHaveTheSizesOfTheMethodPage()
    {
        Assert.Equal([2, 3], ElderOptions.DefaultLayers(TinyModels.Gpt2));
        ElderOptions paper = ElderOptions.Paper(TinyModels.Gpt2), variant = ElderOptions.Default(TinyModels.Gpt2);
        Assert.Equal((4, 2, 8, 12, 1e-2f, 1e-4f, 50, 4), (paper.LoraCount, paper.ActiveCount, paper.Rank, paper.Epsilon, paper.Lambda, paper.LearningRate, paper.Iterations, paper.BatchSize));
        Assert.Equal((64, 4, 1, 0.5f, 1e-3f, 6, 0.9f), (variant.LoraCount, variant.ActiveCount, variant.Rank, variant.UniformWeight, variant.LearningRate, variant.RehearsedRows, variant.EarlyStopProbability));
        Assert.Equal(2 * 64 * (32 + 128), new ElderEditor(TinyModels.Gpt2).AddedParameters);
        Assert.Equal(2 * ((4 * 8 * (32 + 128)) + (4 * 33)), new ElderEditor(TinyModels.Gpt2, paper).AddedParameters);
        Assert.Equal((4f, 3, 32, true, true), (variant.FirstStepsFactor, variant.RestIterations, variant.ReviewedEdits, variant.RehearseUntilSure, variant.RehearseBehindSentences));
        Assert.Equal((1f, 0, 0, false, false), (paper.FirstStepsFactor, paper.RestIterations, paper.ReviewedEdits, paper.RehearseUntilSure, paper.RehearseBehindSentences));
        Assert.Equal([4e-3f, 4e-3f, 2.5e-3f, 1e-3f, 1e-3f], new[] { 9, 1, 0.55, 0.1, 0 }.Select(variant.LearningRateAt), (a, b) => Math.Abs(a - b) < 1e-9f);
        ElderOptions unusual = variant with { LeadingSentences = [[1, 2], [3]], Alpha = 3, EarlyStopProbability = null, Layers = [1, 3] };
        Assert.All([paper, variant, unusual], o => Assert.Equal(o.ToJson(), ElderOptions.FromJson(o.ToJson()).ToJson()));
        Assert.Equal([3], ElderOptions.FromJson(unusual.ToJson()).LeadingSentences[1]);
    }

    [Fact]
    public void ContradictoryOptionsAndEditsAreNamed()
    {
        ElderOptions paper = ElderOptions.Paper(TinyModels.Gpt2);
        void Refused(ElderOptions options, string part) =>
            Assert.Contains(part, Assert.Throws<EditException>(() => new ElderEditor(TinyModels.Gpt2, options)).Message, StringComparison.Ordinal);
        Refused(paper with { Layers = [0, 1] }, "begin with 1");
        Refused(paper with { Layers = [2, 4] }, "block 4");
        Refused(paper with { Layers = [3, 2] }, "must rise");
        Refused(paper with { ActiveCount = 5 }, "5 of 4");
        Refused(paper with { LearningRate = 0 }, "LearningRate is 0");
        Refused(paper with { FirstStepsFactor = -1 }, "FirstStepsFactor is -1");
        Refused(paper with { RestIterations = -1 }, "RestIterations is -1");
        Refused(paper with { ReviewedEdits = -1 }, "ReviewedEdits is -1");
        ElderEditor editor = new(TinyModels.Gpt2, paper);
        Assert.Contains("token 61", Assert.Throws<ArgumentException>(() => editor.Edit([new EncodedEdit("f", [1, 61], [2], [])])).Message, StringComparison.Ordinal);
        Assert.Contains("0 target tokens", Assert.Throws<ArgumentException>(() => editor.Edit([new EncodedEdit("f", [1], [], [])])).Message, StringComparison.Ordinal);
        Assert.Empty(editor.Current.Prepare([]).Scope);
    }

    private static readonly Dictionary<string, ElderEditor> TrainedEditors = [];

    /// <summary>An editor that has learned the six edits of seed 1; shared, so not to be edited.</summary>
    private static ElderEditor Trained(string variant)
    {
        lock (TrainedEditors)
        {
            if (!TrainedEditors.TryGetValue(variant, out ElderEditor? editor))
            {
                editor = TrainedEditors[variant] = NewEditor(variant);
                EncodedEdit[] edits = TinyModels.Edits(1, 6);
                editor.Edit(edits[..3]);
                editor.Edit(edits[3..]);
            }

            return editor;
        }
    }

    private static ElderEditor NewEditor(string variant) => new(ModelOf(variant), Options(variant));

    private static TransformerModel ModelOf(string variant) => variant.StartsWith("gpt2", StringComparison.Ordinal) ? TinyModels.Gpt2 : TinyModels.Llama;

    private static ElderOptions Options(string variant) => variant.EndsWith("paper", StringComparison.Ordinal)
        ? ElderOptions.Paper(ModelOf(variant)) with { LearningRate = 1e-2f, Epsilon = 2, Seed = 1 }
        : ElderOptions.Default(ModelOf(variant)) with { LearningRate = 1e-2f, Iterations = 80, LeadingSentences = [[3, 4, 5], [6, 7, 8, 9]], Seed = 1 };

    private static float[][] Logits(PromptBatch batch)
    {
        using Tape tape = Tape.Start(record: false);
        int[] all = [.. Enumerable.Range(0, batch.Prompts.Count)];
        SequenceLayout layout = new([.. all.Select(_ => 1)], [.. batch.Prompts.Select(p => p.Length - 1)]);
        ForwardContext context = new(layout) { Cache = batch.Cache, Adapter = batch.AdapterFor(all, layout) };
        Tensor logits = batch.Model.Logits(batch.Model.Forward([.. batch.Prompts.Select(p => p[^1])], context));
        return [.. all.Select(i => logits.Row(i).ToArray())];
    }

    private static void AssertSameState(ElderEditor expected, ElderEditor found)
    {
        Assert.Equal(expected.Mixture.CopyValues(), found.Mixture.CopyValues());
        Assert.Equal(expected.Codes.Count, found.Codes.Count);
        Assert.All(Enumerable.Range(0, expected.Codes.Count), i => Assert.Equal(expected.Codes[i], found.Codes[i]));
        int[][] prompts = [.. TinyModels.Edits(2, 9).Concat(TinyModels.Edits(7, 8)).Select(e => e.Prompt)];
        EditedPrompts left = expected.Current.Prepare(prompts), right = found.Current.Prepare(prompts);
        Assert.Equal(left.Scope, right.Scope);
        Assert.Equal(Logits(left), Logits(right));
    }
}
