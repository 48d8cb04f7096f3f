using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Models.Tests.Models;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints;

public sealed class ModelFormatsTests
{
    [Fact]
    public void TheReadmeShowsTheTableOfTheCode()
    {
        string readme = File.ReadAllText(Path.Combine(SharedData.RequireRepository(), "README.md")).ReplaceLineEndings("\n");
        const string start = "<!-- formats: written by `elder model formats` -->\n", end = "<!-- /formats -->";
        int from = readme.IndexOf(start, StringComparison.Ordinal) + start.Length;
        Assert.True(from >= start.Length, "README.md has no block of formats.");
        Assert.Equal(ModelFormats.Markdown(), readme[from..readme.IndexOf(end, StringComparison.Ordinal)]);
    }

    [Fact]
    public void PathsOfEveryKindOpen()
    {
        string folder = FixtureGoldenTests.Fixture("llama-tiny");
        using Checkpoint byFolder = Checkpoint.Open(folder);
        using Checkpoint byFile = Checkpoint.Open(Path.Combine(folder, "model.safetensors"));
        Assert.Equal(byFolder.Entries.Keys, byFile.Entries.Keys);
        using var empty = new TemporaryFolder();
        Assert.Contains("no config.json and no .gguf file", Failure(empty.Path), StringComparison.Ordinal);
        Assert.Contains("is no model file", Failure(empty.WriteText("model.txt", "x")), StringComparison.Ordinal);
        Assert.Contains("There is no file or folder", Failure(empty.File("absent.gguf")), StringComparison.Ordinal);
        Assert.Contains("ends at byte 1, in the middle of the magic", Failure(empty.WriteText("a.gguf", "G")), StringComparison.Ordinal);
        empty.WriteText("b.gguf", "x");
        Assert.Contains("2 .gguf files", Failure(empty.Path), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt2-tiny")]
    [InlineData("llama-tiny")]
    public void ConvertingThereAndBackKeepsEveryBit(string name)
    {
        using var folder = new TemporaryFolder();
        using Checkpoint original = Checkpoint.Open(FixtureGoldenTests.Fixture(name));
        using (Checkpoint gguf = Gguf.GgufCheckpointTests.Open(Gguf.GgufSample.Of(original)))
        {
            CheckpointConverter.Convert(gguf, folder.File("wide"));
        }

        using Checkpoint wide = Checkpoint.Open(folder.File("wide"));
        foreach (TensorEntry entry in original.Entries.Values)
        {
            Assert.Equal(entry.Shape, wide.Entries[entry.Name].Shape);
            Assert.Equal(Llama2C.Llama2CSample.Tensor(original, entry.Name), Llama2C.Llama2CSample.Tensor(wide, entry.Name));
        }

        CheckpointConverter.Convert(original, folder.File("half"), StoredType.BF16);
        using Checkpoint half = Checkpoint.Open(folder.File("half"));
        Assert.All(half.Entries.Values, entry => Assert.Equal(StoredType.BF16, entry.StoredType));
        CheckpointConverter.Convert(half, folder.File("again"));
        Assert.Equal(File.ReadAllBytes(folder.File("half/model.safetensors")), File.ReadAllBytes(folder.File("again/model.safetensors")));
        Assert.Contains("name another folder", Assert.Throws<CheckpointException>(() => CheckpointConverter.Convert(half, folder.File("half"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, 1_557_611_200)] // GPT-2 XL
    [InlineData(true, 6_738_415_616)]  // LLaMA-2 7B
    public void ShapesHaveThePublishedNumberOfParameters(bool llama, long parameters) => Assert.Equal(parameters, RandomCheckpoint.CountParameters(llama
        ? new LlamaConfig
        {
            VocabSize = 32000, MaxPositions = 4096, HiddenSize = 4096, InnerSize = 11008, LayerCount = 32, HeadCount = 32, KeyValueHeadCount = 32,
            RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false,
        }
        : new Gpt2Config { VocabSize = 50257, MaxPositions = 1024, HiddenSize = 1600, InnerSize = 6400, LayerCount = 48, HeadCount = 25, TieWordEmbeddings = true }));

    [Fact]
    public void RandomModelsLoadAndAreTheSameForOneSeed()
    {
        using var folder = new TemporaryFolder();
        var config = new Gpt2Config { VocabSize = 50, MaxPositions = 16, HiddenSize = 32, InnerSize = 64, LayerCount = 2, HeadCount = 4, TieWordEmbeddings = true };
        RandomCheckpoint.Write(config, 7, StoredType.F16, folder.File("a"));
        RandomCheckpoint.Write(config, 7, StoredType.F16, folder.File("b"));
        RandomCheckpoint.Write(config, 8, StoredType.F16, folder.File("c"));
        byte[] a = File.ReadAllBytes(folder.File("a/model.safetensors"));
        Assert.Equal(a, File.ReadAllBytes(folder.File("b/model.safetensors")));
        Assert.NotEqual(a, File.ReadAllBytes(folder.File("c/model.safetensors")));
        TransformerModel model = TransformerModel.Load(folder.File("a"));
        using Checkpoint checkpoint = Checkpoint.Open(folder.File("a"));
        Assert.Equal(config, model.Config);
        Assert.Equal(RandomCheckpoint.CountParameters(config), checkpoint.Entries.Values.Sum(entry => entry.ElementCount));
        float[] weight = Llama2C.Llama2CSample.Tensor(checkpoint, "transformer.h.0.mlp.c_fc.weight");
        Assert.Equal(0.02, Math.Sqrt(weight.Average(w => (double)w * w)), 0.001);
        Assert.All(Llama2C.Llama2CSample.Tensor(checkpoint, "transformer.ln_f.weight"), gain => Assert.Equal(1, gain));
    }

    private static string Failure(string path) => Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose()).Message;
}
