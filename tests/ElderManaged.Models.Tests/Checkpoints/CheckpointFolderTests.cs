using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints;

public class CheckpointFolderTests
{
    private static readonly Gpt2Config Config = new()
    {
        VocabSize = 10, MaxPositions = 8, HiddenSize = 4, InnerSize = 16, LayerCount = 1, HeadCount = 2, TieWordEmbeddings = true,
    };

    [Fact]
    public void ASingleFileIsReadByNameAndShape()
    {
        using var folder = new TemporaryFolder();
        Config.Save(folder.File("config.json"));
        new SafetensorsWriter().Add("transformer.wte.weight", [2, 2], new float[] { 1, 2, 3, 4 }, StoredType.BF16).Save(folder.File("model.safetensors"));

        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder.Path);
        Assert.Equal(Config, checkpoint.Config);
        Assert.True(checkpoint.Contains("transformer.wte.weight"));
        float[] values = new float[4];
        checkpoint.Read("transformer.wte.weight", [2, 2], values);
        Assert.Equal([1, 2, 3, 4], values);

        string shape = Failure(() => checkpoint.Read("transformer.wte.weight", [4], new float[4]));
        Assert.Contains("'transformer.wte.weight' has the shape [2, 2], expected [4]", shape, StringComparison.Ordinal);
        string missing = Failure(() => checkpoint.Read("wte.weight", [2, 2], new float[4]));
        Assert.Contains("no tensor 'wte.weight' (expected shape [2, 2]); the nearest names are 'transformer.wte.weight'", missing, StringComparison.Ordinal);
    }

    [Fact]
    public void ShardsAreReadThroughTheIndex()
    {
        using TemporaryFolder folder = Sharded("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder.Path);
        float[] value = new float[1];
        checkpoint.Read("b", [1], value);
        Assert.Equal(2, value[0]);
        checkpoint.Read("a", [1], value);
        Assert.Equal(1, value[0]);
        Assert.Equal(2, checkpoint.Entries.Count);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"../one.safetensors"}}""", "only plain names")]
    [InlineData("""{"weight_map":{"a":"/etc/one.safetensors"}}""", "only plain names")]
    [InlineData("""{"weight_map":{"a":"..\\one.safetensors"}}""", "only plain names")]
    [InlineData("""{"weight_map":{"a":"C:one.safetensors"}}""", "only plain names")]
    [InlineData("""{"weight_map":{"a":"config.json"}}""", "only plain names")]
    [InlineData("""{"weight_map":{"a":".."}}""", "only plain names")]
    [InlineData("""{"weight_map":{"a":"three.safetensors"}}""", "'three.safetensors', which is not there")]
    [InlineData("""{"weight_map":{"b":"one.safetensors"}}""", "holds the tensor 'b', but it does not")]
    [InlineData("""{"weight_map":{"a":1}}""", "names no file for 'a'")]
    [InlineData("""{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}""", "'a' twice")]
    [InlineData("""{"weights":{}}""", "no object weight_map")]
    [InlineData("[", "not valid JSON")]
    public void BrokenIndicesAreRefused(string index, string expected)
    {
        using TemporaryFolder folder = Sharded(index);
        Assert.Contains(expected, Failure(() => CheckpointFolder.Open(folder.Path)), StringComparison.Ordinal);
    }

    [Fact]
    public void MissingPartsAreNamed()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("no folder", Failure(() => CheckpointFolder.Open(folder.File("absent"))), StringComparison.Ordinal);
        Assert.Contains("config.json", Failure(() => CheckpointFolder.Open(folder.Path)), StringComparison.Ordinal);
        Config.Save(folder.File("config.json"));
        Assert.Contains("neither model.safetensors nor", Failure(() => CheckpointFolder.Open(folder.Path)), StringComparison.Ordinal);
    }

    [SharedFact("goldens/elder/gpt2-tiny/config.json", "goldens/elder/llama-tiny/config.json")]
    public void GoldenFoldersOpen()
    {
        using CheckpointFolder gpt2 = CheckpointFolder.Open(SharedData.PathOf("goldens", "elder", "gpt2-tiny"));
        Gpt2Config gpt2Config = Assert.IsType<Gpt2Config>(gpt2.Config);
        Assert.Equal((257, 64, 64, 256, 4, 4, true), (gpt2Config.VocabSize, gpt2Config.MaxPositions, gpt2Config.HiddenSize, gpt2Config.InnerSize, gpt2Config.LayerCount, gpt2Config.HeadCount, gpt2Config.TieWordEmbeddings));
        gpt2.Read("transformer.h.3.mlp.c_fc.weight", [64, 256], new float[64 * 256]);

        using CheckpointFolder llama = CheckpointFolder.Open(SharedData.PathOf("goldens", "elder", "llama-tiny"));
        LlamaConfig llamaConfig = Assert.IsType<LlamaConfig>(llama.Config);
        Assert.Equal((160, 2, 1e-5f, 16, false), (llamaConfig.InnerSize, llamaConfig.KeyValueHeadCount, llamaConfig.RmsNormEpsilon, llamaConfig.HeadSize, llamaConfig.TieWordEmbeddings));
        llama.Read("model.layers.3.mlp.down_proj.weight", [64, 160], new float[64 * 160]);
    }

    private static TemporaryFolder Sharded(string index)
    {
        var folder = new TemporaryFolder();
        Config.Save(folder.File("config.json"));
        new SafetensorsWriter().Add("a", [1], new float[] { 1 }).Save(folder.File("one.safetensors"));
        new SafetensorsWriter().Add("b", [1], new float[] { 2 }).Save(folder.File("two.safetensors"));
        folder.WriteText("model.safetensors.index.json", index);
        return folder;
    }

    private static string Failure(Action action) => Assert.Throws<CheckpointException>(action).Message;
}
