using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Weights;

/// <summary>A model takes its packed size to load and no more. Runs alone: memory is that of the whole process.</summary>
[Collection(Name)]
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class StreamingLoadTests
{
    private const string Name = "memory of loading";
    private const long Megabyte = 1 << 20;

    // Or the next would lie where this one was, and what it takes would not show.
    private static readonly List<TransformerModel> Kept = [];

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void LoadingTakesThePackedSizeAndAFewMegabytes(string architecture)
    {
        using TemporaryFolder folder = new();
        RandomCheckpoint.Write(ConfigOf(architecture, 1), 1, StoredType.F16, folder.File("small"));
        RandomCheckpoint.Write(ConfigOf(architecture, 8), 1, StoredType.F16, folder.File("large"));
        TransformerModel.Load(folder.File("small")); // compiles the code and starts the threads
        long stored = new FileInfo(Path.Combine(folder.File("large"), "model.safetensors")).Length;
        Assert.InRange(stored, 40 * Megabyte, 100 * Megabyte);

        // The largest tensor alone has more than the allowance, so neither a second copy of it nor a wider one fits in.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long managed = GC.GetTotalAllocatedBytes(precise: true), resident = Environment.WorkingSet, most = resident;
        TransformerModel model = TransformerModel.Load(folder.File("large"), new LoadOptions { Progress = new Watch(() => most = Math.Max(most, Environment.WorkingSet)) });
        managed = GC.GetTotalAllocatedBytes(precise: true) - managed;
        most = Math.Max(most, Environment.WorkingSet) - resident;
        Assert.True(managed < 4 * Megabyte, $"Loading {stored:N0} bytes allocated {managed:N0} managed bytes.");
        Assert.True(most < stored + (8 * Megabyte), $"Loading {stored:N0} bytes took {most:N0} bytes of memory.");
        Kept.Add(model);
    }

    [Fact]
    public void ProgressEndsAtTheSizeOfTheTensors()
    {
        using TemporaryFolder folder = new();
        RandomCheckpoint.Write(ConfigOf("llama", 1), 1, StoredType.BF16, folder.Path);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        long read = 0;
        TransformerModel.Load(checkpoint, new LoadOptions { Progress = new Watch(value => Assert.True(value > read && (read = value) > 0)) });
        Assert.Equal(checkpoint.Entries.Values.Sum(entry => entry.ByteCount), read);
    }

    [Fact]
    public void ACancelledLoadStops()
    {
        using TemporaryFolder folder = new();
        RandomCheckpoint.Write(ConfigOf("llama", 1), 1, StoredType.F16, folder.Path);
        using CancellationTokenSource stop = new();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            TransformerModel.Load(folder.Path, new LoadOptions { Progress = new Watch(_ => stop.Cancel()), Cancellation = stop.Token }));
    }

    private static ModelConfig ConfigOf(string architecture, int layers) => architecture == "gpt2"
        ? new Gpt2Config
        {
            VocabSize = 12000, MaxPositions = 64, HiddenSize = 512, InnerSize = 2048, LayerCount = layers, HeadCount = 8, TieWordEmbeddings = true,
        }
        : new LlamaConfig
        {
            VocabSize = 10000, MaxPositions = 64, HiddenSize = 512, InnerSize = 1536, LayerCount = layers, HeadCount = 8, KeyValueHeadCount = 4,
            RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false,
        };

    private sealed class Watch(Action<long> report) : IProgress<long>
    {
        public Watch(Action report) : this(_ => report())
        {
        }

        public void Report(long value) => report(value);
    }
}
