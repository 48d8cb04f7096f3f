using System.Buffers.Binary;
using System.Text;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Checkpoints.Llama2C;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Llama;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints.Llama2C;

public sealed class Llama2CCheckpointTests
{
    /// <summary>What the published model writes, taking the most likely token, from the begin token on.</summary>
    private const string Story =
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
        + "She wanted to play with it, but it was too high.\nLily's mom said,";

    [SharedFact("data/models/stories260k")]
    public void GoldenStoryIsEqual()
    {
        TransformerModel model = TransformerModel.Load(SharedData.PathOf("data", "models", "stories260k", "stories260K.bin"));
        string[] pieces = Pieces(File.ReadAllBytes(SharedData.PathOf("data", "models", "stories260k", "tok512.bin")));
        int[] ids = Generator.Generate(PromptBatch.OfBase(model, [[1]]), new GenerationOptions { MaxTokens = 200, IgnoreEnd = true })[0];
        string text = string.Concat(ids.Select(id => id == 13 ? "\n" : pieces[id])).TrimStart(' ');
        Assert.StartsWith(Story, text, StringComparison.Ordinal);
    }

    [SharedFact("data/models/stories260k")]
    public void TheConfigurationIsThatOfTheHeader()
    {
        using Checkpoint checkpoint = Checkpoint.Open(SharedData.PathOf("data", "models", "stories260k", "stories260K.bin"));
        LlamaConfig config = Assert.IsType<LlamaConfig>(checkpoint.Config);
        Assert.Equal((64, 172, 5, 8, 4, 512, 512, true), (config.HiddenSize, config.InnerSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, config.VocabSize, config.MaxPositions, config.TieWordEmbeddings));
        Assert.Equal(260_032, checkpoint.Entries.Values.Sum(e => e.ElementCount));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(1, false)]
    public void BothVersionsGiveTheModelThatWasWritten(int version, bool shared)
    {
        using var folder = new TemporaryFolder();
        TransformerModel model = Llama2CSample.Model(shared);
        model.Save(folder.Path);
        File.WriteAllBytes(folder.File("model.bin"), Llama2CSample.Write(folder.Path, version));

        using Checkpoint expected = Checkpoint.Open(folder.Path);
        using Checkpoint found = Checkpoint.Open(folder.File("model.bin"));
        Assert.Equal(expected.Entries.Keys.Order(StringComparer.Ordinal), found.Entries.Keys.Order(StringComparer.Ordinal));
        foreach (TensorEntry entry in expected.Entries.Values)
        {
            float[] a = new float[entry.ElementCount], b = new float[entry.ElementCount];
            expected.Read(entry.Name, entry.Shape, a);
            found.Read(entry.Name, entry.Shape, b);
            Assert.Equal(a, b);
        }

        int[] ids = [1, 5, 2, 7];
        ForwardContext context = new(new SequenceLayout([4]));
        Assert.Equal(
            Logits(TransformerModel.Load(folder.Path), ids, context), Logits(TransformerModel.Load(folder.File("model.bin")), ids, context));
    }

    [Fact]
    public void HeadersThatLieAreRefused()
    {
        using var folder = new TemporaryFolder();
        Llama2CSample.Model(shared: true).Save(folder.Path);
        byte[] good = Llama2CSample.Write(folder.Path, 0);
        Assert.Contains("bytes, but its header describes a model of", Failure(good[..^1]), StringComparison.Ordinal);
        Assert.Contains("bytes, but its header describes a model of", Failure([.. good, 0]), StringComparison.Ordinal);
        Assert.Contains("which no model can have", Failure(With(good, 3, 0)), StringComparison.Ordinal);
        Assert.Contains("truncated or no llama2.c file", Failure(With(good, 2, int.MaxValue)), StringComparison.Ordinal);
        Assert.Contains("truncated or no llama2.c file", Failure(With(good, 5, int.MinValue + 1)), StringComparison.Ordinal);
        Assert.Contains("has only 3 bytes", Failure(good[..3]), StringComparison.Ordinal);
        byte[] version2 = Llama2CSample.Write(folder.Path, 1);
        BinaryPrimitives.WriteInt32LittleEndian(version2.AsSpan(4), 2);
        Assert.Contains("version 2; supported are 0 and 1", Failure(version2), StringComparison.Ordinal);
    }

    private static float[] Logits(TransformerModel model, int[] ids, ForwardContext context) => model.Logits(model.Forward(ids, context)).Span.ToArray();

    private static byte[] With(byte[] good, int number, int value)
    {
        byte[] bytes = [.. good];
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(number * 4), value);
        return bytes;
    }

    private static string Failure(byte[] bytes) =>
        Assert.Throws<CheckpointException>(() => Llama2CCheckpoint.Open(ByteSource.OfMemory("x.bin", bytes)).Dispose()).Message;

    private static string[] Pieces(byte[] file)
    {
        List<string> pieces = [];
        for (int at = 4; at < file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at + 4));
            pieces.Add(Encoding.UTF8.GetString(file, at + 8, length));
            at += 8 + length;
        }

        return [.. pieces];
    }
}
