using System.Buffers.Binary;
using System.Text;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Checkpoints.Gguf;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Fuzz;

/// <summary>Files made to do harm, one by one.</summary>
public sealed class HostileFileTests
{
    [Fact]
    public void HeaderLengthOfTwoToThe63()
    {
        byte[] bytes = FuzzSamples.Safetensors();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 1UL << 63);
        Assert.Contains("claims a header of 9223372036854775808 bytes", Failure(() => SafetensorsFile.Read("x", bytes)), StringComparison.Ordinal);
    }

    [Fact]
    public void AMillionTensors()
    {
        var json = new StringBuilder("{");
        for (int i = 0; i < 1_000_000; i++)
        {
            json.Append(i == 0 ? "" : ",").Append('"').Append(i).Append("\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}");
        }

        byte[] header = Encoding.UTF8.GetBytes(json.Append('}').ToString());
        byte[] safetensors = [.. BitConverter.GetBytes((ulong)header.Length), .. header];
        Assert.Contains("lists more than 65536 tensors", InLittleMemory(safetensors, () => SafetensorsFile.Read("x", safetensors)), StringComparison.Ordinal);

        byte[] gguf = new byte[50_000_000];
        "GGUF"u8.CopyTo(gguf);
        gguf[4] = 3;
        BinaryPrimitives.WriteUInt64LittleEndian(gguf.AsSpan(8), 1_000_000);
        Assert.Contains("claims 1000000 as number of tensors; more than 65536 are refused", InLittleMemory(gguf, () => GgufFile.Read("x", gguf)), StringComparison.Ordinal);
    }

    [Fact]
    public void RecursiveJson()
    {
        byte[] deep = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", 100_000)));
        byte[] header = [.. BitConverter.GetBytes((ulong)deep.Length), .. deep];
        Assert.Contains("not valid JSON", InLittleMemory(deep, () => ModelConfig.Load(ByteSource.OfMemory("config.json", deep))), StringComparison.Ordinal);
        Assert.Contains("not valid JSON", InLittleMemory(header, () => SafetensorsFile.Read("x", header)), StringComparison.Ordinal);
        Assert.Contains("not valid JSON", InLittleMemory(deep, () => SafetensorsIndex.Read(ByteSource.OfMemory("index.json", deep))), StringComparison.Ordinal);
    }

    [Fact]
    public void AVocabularyThatWouldFillTheMemory()
    {
        byte[] gguf = [.. new GgufBuilder().Texts("tokenizer.ggml.tokens", Enumerable.Repeat("a", 2_000_000)).Build()];
        Assert.Contains("more than 1048576 are refused", InLittleMemory(gguf, () => GgufFile.Read("x", gguf).Metadata.Texts("tokenizer.ggml.tokens")), StringComparison.Ordinal);
    }

    [Fact]
    public void OverlappingAndMisplacedTensors()
    {
        byte[] good = new GgufBuilder().Tensor("a", [8], new float[8]).Tensor("b", [8], new float[8]).Build();
        int second = good.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[(byte)'b', 1, 0, 0, 0, 8]); // name, one size, 8
        byte[] With(ulong offset)
        {
            byte[] bytes = [.. good];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(second + 1 + 4 + 8 + 4), offset);
            return bytes;
        }

        Assert.Contains("overlaps the tensor 'a'", Failure(() => GgufFile.Read("x", With(0))), StringComparison.Ordinal);
        Assert.Contains("not at a multiple of 32", Failure(() => GgufFile.Read("x", With(40))), StringComparison.Ordinal);
        Assert.Contains("it is truncated", Failure(() => GgufFile.Read("x", With(64))), StringComparison.Ordinal);
        Assert.Contains("more than 2^63 bytes", Failure(() => GgufFile.Read("x", With(1UL << 63))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n_layer", "2147483647", "says 2147483647 layers")]
    [InlineData("n_embd", "536870911", "n_embd is 536870911, not a multiple of n_head")]
    [InlineData("vocab_size", "2000000000", "has the shape [9, 8], expected [2000000000, 8]")]
    [InlineData("n_positions", "2147483647", "expected [2147483647, 8]")]
    [InlineData("n_inner", "2147483647", "expected [8, 2147483647]")]
    public void ConfigurationsThatAskForMemory(string field, string value, string expected)
    {
        string config = System.Text.RegularExpressions.Regex.Replace(Encoding.UTF8.GetString(FuzzSamples.Gpt2.Config), $"\"{field}\": \\d+", $"\"{field}\": {value}");
        byte[] bytes = Encoding.UTF8.GetBytes(config);
        Assert.Contains(
            expected, InLittleMemory(bytes, () => TransformerModel.Load(FuzzSamples.Folder(bytes, FuzzSamples.Gpt2.Weights))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StoredType.F32)]
    [InlineData(StoredType.F16)]
    [InlineData(StoredType.BF16)]
    public void WeightsFullOfNaN(StoredType type)
    {
        using var folder = new TemporaryFolder();
        TransformerModel model = TransformerModel.CreateTrainable(
            new Gpt2.Gpt2Config { VocabSize = 9, MaxPositions = 6, HiddenSize = 8, InnerSize = 16, LayerCount = 1, HeadCount = 2, TieWordEmbeddings = true }, seed: 2);
        model.Parameters[0].Value.Span.Fill(float.NaN);
        model.Save(folder.Path, type);
        Assert.Contains("the file is damaged", Failure(() => TransformerModel.Load(folder.Path)), StringComparison.Ordinal);
        Assert.Contains("the file is damaged", Failure(() => TransformerModel.LoadTrainable(folder.Path)), StringComparison.Ordinal);
    }

    private static string Failure(Action action) => Assert.Throws<CheckpointException>(action).Message;

    private static string InLittleMemory(byte[] file, Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Failure(action);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated <= file.Length + (64L << 20), $"{allocated} bytes were allocated for a file of {file.Length}.");
        return message;
    }
}
