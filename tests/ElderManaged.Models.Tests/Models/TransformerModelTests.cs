using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Models.Tests.Generation;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Models;

public sealed class TransformerModelTests
{
    private static readonly ModelConfig[] Configs =
    [
        new Gpt2Config
        {
            VocabSize = 97, MaxPositions = 40, HiddenSize = 24, InnerSize = 56, LayerCount = 3, HeadCount = 3,
            TieWordEmbeddings = true, EosTokenIds = new TokenIds(96),
        },
        new LlamaConfig
        {
            VocabSize = 89, MaxPositions = 40, HiddenSize = 32, InnerSize = 72, LayerCount = 2, HeadCount = 4, KeyValueHeadCount = 2,
            RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false, EosTokenIds = new TokenIds(88),
        },
    ];

    public static TheoryData<int> Architectures => [0, 1];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void SavedAndLoadedAgainIsTheSameModel(int which)
    {
        using TemporaryFolder folder = new();
        TransformerModel model = TransformerModel.CreateTrainable(Configs[which], seed: 7);
        model.Save(folder.Path);
        TransformerModel again = TransformerModel.LoadTrainable(folder.Path);
        Assert.Equal(model.Config, again.Config);
        Assert.Equal(model.Parameters.Select(p => p.Name), again.Parameters.Select(p => p.Name));
        foreach ((Nn.Parameter a, Nn.Parameter b) in model.Parameters.Zip(again.Parameters))
        {
            Assert.Equal(a.Value.Span.ToArray(), b.Value.Span.ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ATapeThatDoesNotRecordGivesTheSameBitsWithLessMemoryAndHiddenStatesMayBeKept(int which)
    {
        TransformerModel model = TransformerModel.CreateFrozen(Configs[which], seed: 3);
        int[] ids = [.. Enumerable.Range(0, 40).Select(i => i * 7 % 80)];
        List<float[]> expected = [];
        ForwardContext Context(Action<Tensor> see) => new(new SequenceLayout([ids.Length]))
        {
            OutputRows = [3, 39],
            Observe = (kind, _, x) =>
            {
                if (kind == Activation.Hidden)
                {
                    see(x);
                }
            },
        };
        expected.Add(model.Forward(ids, Context(x => expected.Add(x.Span.ToArray()))).Span.ToArray()); // without a tape

        List<Tensor> kept = [];
        using (Tape.Start(record: false))
        {
            kept.Add(model.Forward(ids, Context(x => kept.Add(x))));
            Assert.Equal(expected.Count, kept.Count);
            Assert.All(expected.Zip(kept), pair => Assert.Equal(pair.First, pair.Second.Span.ToArray()));
        }

        // On a thread of its own, whose tapes are new: embeddings and one tensor a block, where the activations inside of one
        // block alone would be more than that.
        Assert.InRange(PooledBytes(() => model.Forward(ids, Context(_ => { }))), 1, 2L * sizeof(float) * ids.Length * model.Width * (model.LayerCount + 3));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ARowDoesNotDependOnWhatElseIsInTheBatchNorOnTheCache(int which)
    {
        using TemporaryFolder folder = new();
        TransformerModel.CreateTrainable(Configs[which], seed: 3).Save(folder.Path);
        TransformerModel model = TransformerModel.Load(folder.Path);
        int[][] prompts = [[5, 9, 2, 7, 1], [3], [8, 8, 1, 30, 4, 6, 2, 11, 19, 20, 3]];
        Tensor together = model.Logits(model.Forward([.. prompts.SelectMany(p => p)], new ForwardContext(new SequenceLayout([.. prompts.Select(p => p.Length)]))));
        int row = 0;
        foreach (int[] prompt in prompts)
        {
            Tensor alone = model.Logits(model.Forward(prompt, new ForwardContext(new SequenceLayout([prompt.Length]))));
            Assert.Equal(alone.Span.ToArray(), Op.SliceRows(together, row, prompt.Length).Span.ToArray());
            row += prompt.Length;

            // The last token over a cache of those before it.
            KeyValueCache cache = PromptBatch.Prefill(model, [prompt]);
            ForwardContext context = new(new SequenceLayout([1], [prompt.Length - 1])) { Cache = cache };
            Tensor cached = model.Logits(model.Forward([prompt[^1]], context));
            Assert.Equal(alone.Row(prompt.Length - 1).ToArray(), cached.Span.ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void LossesAreTheCrossEntropiesOfTheLogits(int which)
    {
        CheckLosses(TransformerModel.CreateFrozen(Configs[which], seed: 3));
        CheckLosses(TransformerModel.CreateTrainable(Configs[which], seed: 3));
    }

    private static void CheckLosses(TransformerModel model)
    {
        int[] targets = [5, Op.IgnoredTarget, 0];
        Tensor hidden = new(new Shape(3, model.Width)) { RequiresGrad = true };
        new RandomSource(6).FillGaussian(hidden.Span, 1);
        (float[] expected, float[] expectedGradient) = ValueAndGradient(() => Op.CrossEntropyOfRows(model.Logits(hidden), targets));
        (float[] found, float[] gradient) = ValueAndGradient(() => model.Losses(hidden, targets));
        OpChecks.AssertClose([.. expected.Select(v => (double)v)], found, 1e-5, "losses");
        OpChecks.AssertClose([.. expectedGradient.Select(v => (double)v)], gradient, 1e-5, "gradient");
        OpChecks.AssertClose([.. expected.Select(v => (double)v)], model.Losses(hidden, targets).Span, 1e-5, "losses outside of a tape");

        (float[], float[]) ValueAndGradient(Func<Tensor> losses)
        {
            hidden.ZeroGrad();
            using Tape tape = Tape.Start();
            Tensor value = losses();
            tape.Backward(value, [1, 2, 3]);
            return (value.Span.ToArray(), hidden.Grad!.Span.ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void OnlyTheOutputRowsThatAreAskedForAreTheSameRows(int which)
    {
        TransformerModel model = TransformerModel.CreateFrozen(Configs[which], seed: 3);
        int[] ids = [5, 9, 2, 7, 1, 3, 8, 8], rows = [6, 1, 4];
        Tensor all = model.Forward(ids, new ForwardContext(new SequenceLayout([5, 3])));
        Tensor some = model.Forward(ids, new ForwardContext(new SequenceLayout([5, 3])) { OutputRows = rows });
        Assert.Equal(Op.GatherRows(all, rows).Span.ToArray(), some.Span.ToArray());
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void RandomWeightsHaveTheSameBitsForAnyNumberOfThreads(int which)
    {
        float[] Logits(ulong seed, int threads)
        {
            int before = CpuThreads.Count;
            CpuThreads.Count = threads;
            try
            {
                TransformerModel model = TransformerModel.CreateFrozen(Configs[which] with { VocabSize = 5000 }, seed);
                return model.Logits(model.Forward([4321, 7, 99], new ForwardContext(new SequenceLayout([3])))).Span.ToArray();
            }
            finally
            {
                CpuThreads.Count = before;
            }
        }

        Assert.Equal(Logits(1, threads: 1), Logits(1, threads: 3));
        Assert.NotEqual(Logits(1, threads: 1), Logits(2, threads: 1));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AGeneratedTokenAllocatesNothing(int which) =>
        Assert.Equal(0, GenerationAllocation.Least(TransformerModel.CreateFrozen(Configs[which], seed: 3)));

    [Fact]
    public void AMissingTensorIsNamed()
    {
        using TemporaryFolder folder = new();
        TransformerModel.CreateTrainable(Configs[0], seed: 1).Save(folder.Path);
        ((Gpt2Config)Configs[0] with { LayerCount = 4 }).Save(System.IO.Path.Combine(folder.Path, "config.json"));
        CheckpointException error = Assert.Throws<CheckpointException>(() => TransformerModel.Load(folder.Path));
        Assert.Contains("transformer.h.3.ln_1.weight", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void APositionBeyondTheModelIsRefused()
    {
        TransformerModel model = TransformerModel.CreateTrainable(Configs[0], seed: 1);
        ArgumentException error = Assert.Throws<ArgumentException>(() => PromptBatch.OfBase(model, [new int[41]]));
        Assert.Contains("41 tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SamplingRepeatsForASeedAndStopsAtTheEnd()
    {
        TransformerModel model = TransformerModel.CreateTrainable(Configs[0], seed: 5);
        GenerationOptions options = new() { MaxTokens = 20, Temperature = 1.3f, TopK = 50, TopP = 0.95f, Seed = 11, IgnoreEnd = true };
        int[][] prompts = [[1, 2, 3], [4, 5]];
        int[][] first = Generator.Generate(PromptBatch.OfBase(model, prompts), options);
        int[][] second = Generator.Generate(PromptBatch.OfBase(model, prompts), options);
        Assert.Equal(first[0], second[0]);
        Assert.Equal(first[1], second[1]);
        Assert.All(first, ids => Assert.Equal(20, ids.Length));
        Assert.NotEqual(first[0], Generator.Generate(PromptBatch.OfBase(model, prompts), options with { Seed = 12 })[0]);
    }

    private static long PooledBytes(Action pass) => Task.Factory.StartNew(
        () =>
        {
            using Tape tape = Tape.Start(record: false);
            pass();
            return tape.PooledBytes;
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).GetAwaiter().GetResult();
}
