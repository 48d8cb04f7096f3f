using System.Text;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Tests.Checkpoints.Gguf;
using ElderManaged.Models.Tests.Checkpoints.Llama2C;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Fuzz;

/// <summary>Small valid files of every format, made once.</summary>
internal static class FuzzSamples
{
    private static readonly Lazy<(byte[] Config, byte[] Weights)> LazyLlama = new(() => Saved(Llama2CSample.Model(shared: false, layers: 1, width: 8)));
    private static readonly Lazy<(byte[] Config, byte[] Weights)> LazyGpt2 = new(() => Saved(TransformerModel.CreateTrainable(
        new Gpt2Config { VocabSize = 9, MaxPositions = 6, HiddenSize = 8, InnerSize = 16, LayerCount = 1, HeadCount = 2, TieWordEmbeddings = true, EosTokenIds = new TokenIds([8]) },
        seed: 2)));

    public static (byte[] Config, byte[] Weights) Llama => LazyLlama.Value;

    public static (byte[] Config, byte[] Weights) Gpt2 => LazyGpt2.Value;

    public static byte[] Safetensors()
    {
        using var stream = new MemoryStream();
        new SafetensorsWriter()
            .Add("a", [2, 3], new float[6])
            .Add("b.weight", [4], new float[4], StoredType.F16)
            .Add("c.weight", [2, 2], new float[4], StoredType.BF16)
            .AddInt64("ids", [2], new long[2])
            .AddMetadata("format", "pt")
            .Write(stream);
        return stream.ToArray();
    }

    public static byte[] Index() => Encoding.UTF8.GetBytes("""{"metadata":{"total_size":8},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");

    public static byte[] OneTensor(string name)
    {
        using var stream = new MemoryStream();
        new SafetensorsWriter().Add(name, [1], new float[1]).Write(stream);
        return stream.ToArray();
    }

    /// <summary>GGUF files of whole models: float32, and with matrices in blocks.</summary>
    public static byte[][] Gguf() => [
        Of(Llama2CSample.Model(shared: true, layers: 1, width: 8), null), Of(Llama2CSample.Model(shared: false, layers: 1, width: 32), values => (8, new byte[values.Length / 32 * 34])),
        Of(Llama2CSample.Model(shared: true, layers: 1, width: 32), values => (3, new byte[values.Length / 32 * 20]))];

    public static byte[][] Llama2C() => [Bin(0, true), Bin(0, false), Bin(1, true), Bin(1, false)];

    /// <summary>A folder with a configuration and weights.</summary>
    public static CheckpointFolder Folder(byte[] config, byte[] weights) => CheckpointFolder.OfMemory(
        "fuzz", new Dictionary<string, ReadOnlyMemory<byte>> { ["config.json"] = config, ["model.safetensors"] = weights });

    private static byte[] Of(TransformerModel model, Func<float[], (uint Type, byte[] Bytes)>? matrix)
    {
        using var folder = new TemporaryFolder();
        model.Save(folder.Path);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        return GgufSample.Of(checkpoint, matrix, file => file.Texts("tokenizer.ggml.tokens", ["a", "b", "é"]).Floats("tokenizer.ggml.scores", [1, 2, 3]).UInt32("tokenizer.ggml.eos_token_id", 2)).Build();
    }

    private static byte[] Bin(int version, bool shared)
    {
        using var folder = new TemporaryFolder();
        Llama2CSample.Model(shared, layers: 1, width: 8).Save(folder.Path);
        return Llama2CSample.Write(folder.Path, version);
    }

    private static (byte[] Config, byte[] Weights) Saved(TransformerModel model)
    {
        using var folder = new TemporaryFolder();
        model.Save(folder.Path);
        return (File.ReadAllBytes(folder.File("config.json")), File.ReadAllBytes(folder.File("model.safetensors")));
    }
}
