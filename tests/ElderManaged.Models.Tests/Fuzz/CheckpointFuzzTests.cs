using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Checkpoints.Gguf;
using ElderManaged.Models.Checkpoints.Llama2C;
using ElderManaged.Models.Tests.Checkpoints.Gguf;

namespace ElderManaged.Models.Tests.Fuzz;

/// <summary>200,000 damaged files: each is read, or refused in one clear sentence; no crash, no memory beyond the file and 64 MiB.</summary>
public sealed class CheckpointFuzzTests
{
    [Fact]
    public void Safetensors() => FuzzRun.Holds([FuzzSamples.Safetensors(), FuzzSamples.OneTensor("x")], 50_000, bytes =>
    {
        using SafetensorsFile file = SafetensorsFile.Read("fuzz.safetensors", bytes);
        foreach (TensorEntry entry in file.Entries.Values)
        {
            file.ReadBytes(entry.Name, new byte[entry.ByteCount]);
            if (entry.StoredType is StoredType.F32 or StoredType.F16 or StoredType.BF16)
            {
                file.ReadFloat32(entry.Name, new float[entry.ElementCount]);
            }
        }
    });

    [Fact]
    public void Indices()
    {
        (byte[] config, _) = FuzzSamples.Gpt2;
        byte[] one = FuzzSamples.OneTensor("a"), two = FuzzSamples.OneTensor("b");
        FuzzRun.Holds([FuzzSamples.Index()], 25_000, bytes => CheckpointFolder.OfMemory(
            "fuzz",
            new Dictionary<string, ReadOnlyMemory<byte>>
            {
                ["config.json"] = config, ["model.safetensors.index.json"] = bytes, ["one.safetensors"] = one, ["two.safetensors"] = two,
            }).Dispose());
    }

    [Fact]
    public void Configurations() => FuzzRun.Holds(
        [FuzzSamples.Gpt2.Config, FuzzSamples.Llama.Config], 25_000, bytes => ModelConfig.Load(ByteSource.OfMemory("config.json", bytes)));

    [Fact]
    public void ConfigurationsOfAModel()
    {
        byte[] weights = FuzzSamples.Llama.Weights;
        FuzzRun.Holds([FuzzSamples.Llama.Config], 10_000, bytes => Load(FuzzSamples.Folder(bytes, weights)));
    }

    [Fact]
    public void WeightsOfAModel()
    {
        byte[] config = FuzzSamples.Gpt2.Config;
        FuzzRun.Holds([FuzzSamples.Gpt2.Weights], 15_000, bytes => Load(FuzzSamples.Folder(config, bytes)));
    }

    [Fact]
    public void GgufHeaders() => FuzzRun.Holds([GgufFileTests.Sample().Build(), .. FuzzSamples.Gguf()], 45_000, bytes =>
    {
        using GgufFile file = GgufFile.Read("fuzz.gguf", bytes);
        foreach (string key in file.Metadata.Keys)
        {
            GgufType? type = file.Metadata.TypeOf(key, out bool list, out _);
            _ = (list, type) switch
            {
                (true, GgufType.Text) => (object?)file.Metadata.Texts(key),
                (false, GgufType.Text) => file.Metadata.Text(key),
                (false, GgufType.Bool) => file.Metadata.Flag(key),
                (true, GgufType.Bool) => null,
                (true, _) => file.Metadata.Numbers(key),
                _ => file.Metadata.Number(key),
            };
        }

        foreach (TensorEntry entry in file.Entries.Values)
        {
            file.ReadBytes(entry.Name, 0, new byte[entry.ByteCount]);
        }
    });

    [Fact]
    public void GgufModels() => FuzzRun.Holds(FuzzSamples.Gguf(), 15_000, bytes => Load(GgufCheckpoint.Open(GgufFile.Read("fuzz.gguf", bytes))));

    [Fact]
    public void Llama2CModels() => FuzzRun.Holds(
        FuzzSamples.Llama2C(), 15_000, bytes => Load(Llama2CCheckpoint.Open(ByteSource.OfMemory("fuzz.bin", bytes))));

    private static void Load(Checkpoint checkpoint)
    {
        using (checkpoint)
        {
            TransformerModel.Load(checkpoint);
        }
    }
}
