using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Checkpoints.Gguf;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints.Gguf;

public sealed class GgufFileTests
{
    [Theory]
    [InlineData(2u, 32)]
    [InlineData(3u, 32)]
    [InlineData(3u, 64)]
    public void EverythingComesBackAsWritten(uint version, int alignment)
    {
        byte[] bytes = Sample(version, alignment).Build();
        using GgufFile file = GgufFile.Read("x.gguf", bytes);
        Assert.Equal((int)version, file.Version);
        GgufMetadata data = file.Metadata;
        Assert.Equal("llama", data.Text("general.architecture"));
        Assert.Equal(42, data.Integer("a.count"));
        Assert.Equal(42, data.Number("a.count"));
        Assert.Equal(0.25, data.Number("a.scale"));
        Assert.True(data.Flag("a.flag"));
        Assert.Equal(["", "é", new string('x', 20_000)], data.Texts("a.texts")!);
        Assert.Equal([1.5f, -2f], data.Numbers("a.floats")!);
        Assert.Equal([-1L, 7L], data.Integers("a.ints")!);
        Assert.Equal(-5, data.Integer("a.small"));
        Assert.Null(data.Text("absent"));
        Assert.Null(data.Texts("absent"));
        Assert.Null(data.Integer("absent"));
        Assert.Equal(GgufType.Text, data.TypeOf("a.texts", out bool list, out long count));
        Assert.True(list && count == 3);

        TensorEntry entry = file.Entries["b"];
        Assert.Equal([3L, 32L], entry.Shape);
        Assert.Equal(StoredType.Q8_0, entry.StoredType);
        byte[] found = new byte[34];
        file.ReadBytes("b", 34, found);
        Assert.Equal(Enumerable.Range(34, 34).Select(i => (byte)i), found);
    }

    [Fact]
    public void ValuesOfAnotherKindAreRefusedByName()
    {
        using GgufFile file = GgufFile.Read("x.gguf", Sample().Build());
        Assert.Contains("'a.count' is UInt32, not a text", Failure(() => file.Metadata.Text("a.count")), StringComparison.Ordinal);
        Assert.Contains("'a.texts' is a list of 3 Text, not a list of numbers", Failure(() => file.Metadata.Numbers("a.texts")), StringComparison.Ordinal);
        Assert.Contains("'a.scale' is Float32, not a whole number", Failure(() => file.Metadata.Integer("a.scale")), StringComparison.Ordinal);
        Assert.Contains("not true or false", Failure(() => file.Metadata.Flag("a.count")), StringComparison.Ordinal);
    }

    [SharedFact("models/smollm2-135m")]
    public void ARealFileOpens()
    {
        using GgufFile file = GgufFile.Open(SharedData.PathOf("models", "smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf"));
        Assert.Equal(3, file.Version);
        Assert.Equal("llama", file.Metadata.Text("general.architecture"));
        Assert.Equal("gpt2", file.Metadata.Text("tokenizer.ggml.model"));
        Assert.Equal("smollm", file.Metadata.Text("tokenizer.ggml.pre"));
        Assert.Equal(49152, file.Metadata.Texts("tokenizer.ggml.tokens")!.Length);
        Assert.Equal(49152, file.Metadata.Integers("tokenizer.ggml.token_type")!.Length);
        Assert.Equal(210, file.Entries.Values.Count(e => e.StoredType == StoredType.Q4_1));
        Assert.Equal(61, file.Entries.Values.Count(e => e.StoredType == StoredType.F32));
        Assert.Equal([49152L, 576L], file.Entries["token_embd.weight"].Shape);
        Assert.Equal(StoredType.Q8_0, file.Entries["token_embd.weight"].StoredType);
    }

    internal static GgufBuilder Sample(uint version = 3, int alignment = 32) => new GgufBuilder { Version = version, Alignment = alignment }
        .Text("general.architecture", "llama")
        .UInt32("a.count", 42)
        .Float32("a.scale", 0.25f)
        .Flag("a.flag", true)
        .Texts("a.texts", ["", "é", new string('x', 20_000)])
        .Floats("a.floats", [1.5f, -2f])
        .Int32s("a.ints", [-1, 7])
        .Key("a.small", 1, [unchecked((byte)-5)])
        .Tensor("a", [2, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        .Tensor("b", [3, 32], 8, [.. Enumerable.Range(0, 102).Select(i => (byte)i)]);

    private static string Failure(Action action) => Assert.Throws<CheckpointException>(action).Message;
}
