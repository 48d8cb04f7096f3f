using System.Buffers.Binary;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Checkpoints.Gguf;
using ElderManaged.Models.Llama;
using ElderManaged.Models.Tests.Checkpoints.Llama2C;
using ElderManaged.Models.Tests.Models;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints.Gguf;

public sealed class GgufCheckpointTests
{
    private static readonly int[] Ids = [1, 17, 4, 9, 2];

    [Theory]
    [InlineData("gpt2-tiny")]
    [InlineData("llama-tiny")]
    public void GoldenModelsAreTheSameAsGguf(string name)
    {
        using Checkpoint folder = Checkpoint.Open(FixtureGoldenTests.Fixture(name));
        using GgufCheckpoint file = Open(GgufSample.Of(folder));
        Assert.Equal(folder.Config with { BosTokenId = null, EosTokenIds = TokenIds.None }, file.Config);
        Assert.Equal(folder.Entries.Keys.Order(StringComparer.Ordinal), file.Entries.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(Logits(TransformerModel.Load(folder)), Logits(TransformerModel.Load(file)));
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(30u)]
    public void HalfWidthNumbersKeepTheirValues(uint type)
    {
        using Checkpoint folder = Checkpoint.Open(FixtureGoldenTests.Fixture("gpt2-tiny"));
        byte[] Narrow(float[] values) => [.. values.SelectMany(v => type == 1 ? BitConverter.GetBytes((Half)v) : BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)))];
        float[] Wide(float[] values) => [.. values.Select(v => type == 1 ? (float)(Half)v : BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(v) >> 16 << 16))];
        using GgufCheckpoint narrow = Open(GgufSample.Of(folder, values => (type, Narrow(values))));
        using GgufCheckpoint wide = Open(GgufSample.Of(folder, values => (0, GgufSample.Bytes(Wide(values)))));
        Assert.Equal(Logits(TransformerModel.Load(wide)), Logits(TransformerModel.Load(narrow)));
    }

    [Theory]
    [InlineData(2u, 18)]
    [InlineData(3u, 20)]
    [InlineData(6u, 22)]
    [InlineData(7u, 24)]
    [InlineData(8u, 34)]
    [InlineData(12u, 144)]
    [InlineData(14u, 210)]
    public void BlockFormatsReadAsTheirPlainTwin(uint type, int blockBytes)
    {
        // A whole model of random blocks: with the plain twin's float32 values it computes the same.
        using var folder = new TemporaryFolder();
        Llama2CSample.Model(shared: true, layers: 1, width: 256).Save(folder.Path);
        using Checkpoint model = Checkpoint.Open(folder.Path);
        var random = new Random(7);
        byte[] Blocks(float[] values) => RandomBlocks(type, blockBytes, values.Length, random);
        byte[] Plain(byte[] blocks) => GgufSample.Bytes([.. blocks.Chunk(blockBytes).SelectMany(block => PlainBlocks.Dequantize(type, block))]);
        using GgufCheckpoint packed = Open(GgufSample.Of(model, values => (type, Blocks(values))));
        random = new Random(7);
        using GgufCheckpoint plain = Open(GgufSample.Of(model, values => (0, Plain(RandomBlocks(type, blockBytes, values.Length, random)))));

        foreach (TensorEntry entry in packed.Entries.Values)
        {
            float[] expected = Llama2CSample.Tensor(plain, entry.Name), found = Llama2CSample.Tensor(packed, entry.Name);
            float largest = expected.Max(MathF.Abs);
            for (int i = 0; i < expected.Length; i++)
            {
                Assert.True(MathF.Abs(expected[i] - found[i]) <= 2e-7f * largest, $"{entry.Name}[{i}] is {found[i]:R}, expected {expected[i]:R}.");
            }
        }

        float[] a = Logits(TransformerModel.Load(plain)), b = Logits(TransformerModel.Load(packed));
        float scale = a.Max(MathF.Abs);
        Assert.All(a.Zip(b), pair => Assert.True(MathF.Abs(pair.First - pair.Second) <= 1e-4f * scale, $"{pair.Second:R}, expected {pair.First:R}."));
    }

    [Fact]
    public void WhatWouldChangeTheComputationIsRefusedByName()
    {
        using Checkpoint folder = Checkpoint.Open(FixtureGoldenTests.Fixture("llama-tiny"));
        string Failure(Action<GgufBuilder> change) =>
            Assert.Throws<CheckpointException>(() => Open(GgufSample.Of(folder, scaled: change)).Dispose()).Message;
        Assert.Contains("'llama.rope.scaling.type' is 'yarn', which is not supported", Failure(f => f.Text("llama.rope.scaling.type", "yarn")), StringComparison.Ordinal);
        Assert.Contains("'llama.expert_count' is not 0", Failure(f => f.UInt32("llama.expert_count", 8)), StringComparison.Ordinal);
        Assert.Contains("'rope_freqs.weight'", Failure(f => f.Tensor("rope_freqs.weight", [8], new float[8])), StringComparison.Ordinal);
        Assert.Contains("'blk.0.attn_q.bias', for which llama has no place", Failure(f => f.Tensor("blk.0.attn_q.bias", [64], new float[64])), StringComparison.Ordinal);
        Assert.Contains("stored as Q2_K, which is not supported", Failure(f => f.Tensor("x", [256], 10, new byte[84])), StringComparison.Ordinal);
        Assert.Contains("keeps blocks of 32", Failure(f => f.Tensor("x", [33], 2, new byte[36])), StringComparison.Ordinal);
        Assert.Contains("'tokenizer.ggml.eos_token_id' is 400; token ids lie from 0 to 256", Failure(f => f.UInt32("tokenizer.ggml.eos_token_id", 400)), StringComparison.Ordinal);
    }

    [Fact]
    public void NumbersThatAreNoneAreRefused()
    {
        using Checkpoint folder = Checkpoint.Open(FixtureGoldenTests.Fixture("llama-tiny"));
        using GgufCheckpoint file = Open(GgufSample.Of(folder, values => (8, [.. Enumerable.Repeat((byte)0xFF, values.Length / 32 * 34)])));
        Assert.Contains("infinite or not a number", Assert.Throws<CheckpointException>(() => TransformerModel.Load(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void HeadsMayHaveAWidthOfTheirOwn()
    {
        using var folder = new TemporaryFolder();
        TransformerModel model = TransformerModel.CreateTrainable(
            new LlamaConfig
            {
                VocabSize = 40, MaxPositions = 16, HiddenSize = 24, InnerSize = 32, LayerCount = 2, HeadCount = 3, KeyValueHeadCount = 1,
                ExplicitHeadSize = 16, RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false,
            },
            seed: 3);
        model.Save(folder.Path);
        using Checkpoint saved = Checkpoint.Open(folder.Path);
        Assert.Equal(model.Config, saved.Config);
        Assert.Equal([48L, 24L], saved.Entries["model.layers.0.self_attn.q_proj.weight"].Shape);
        float[] expected = Logits(model);
        Assert.Equal(Logits(TransformerModel.Load(saved)), Logits(TransformerModel.Load(Open(GgufSample.Of(saved)))));
        Assert.All(expected.Zip(Logits(TransformerModel.Load(saved))), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    internal static GgufCheckpoint Open(GgufBuilder builder) => GgufCheckpoint.Open(GgufFile.Read("x.gguf", builder.Build()));

    private static float[] Logits(TransformerModel model) =>
        model.Logits(model.Forward(Ids, new ForwardContext(new SequenceLayout([Ids.Length])))).Span.ToArray();

    private static byte[] RandomBlocks(uint type, int blockBytes, int values, Random random)
    {
        int length = type >= 10 ? 256 : 32;
        byte[] blocks = new byte[values / length * blockBytes];
        random.NextBytes(blocks);
        for (int at = 0; at < blocks.Length; at += blockBytes)
        {
            // Scales of the size that weights have, so that the model's numbers stay in range.
            BinaryPrimitives.WriteHalfLittleEndian(blocks.AsSpan(at + (type == 14 ? blockBytes - 2 : 0)), (Half)(random.NextSingle() * 1e-4f));
            if (type is 3 or 7 or 12)
            {
                BinaryPrimitives.WriteHalfLittleEndian(blocks.AsSpan(at + 2), (Half)((random.NextSingle() - 0.5f) * 1e-3f));
            }
        }

        return blocks;
    }
}
