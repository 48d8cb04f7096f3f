using System.Runtime.InteropServices;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Llama;

namespace ElderManaged.Models.Tests.Checkpoints.Llama2C;

/// <summary>A small random LLaMA and its files, written from the formats' definitions and independent of the readers under test.</summary>
internal static class Llama2CSample
{
    public static TransformerModel Model(bool shared, int layers = 2, int width = 32) => TransformerModel.CreateTrainable(
        new LlamaConfig
        {
            VocabSize = 19, MaxPositions = 24, HiddenSize = width, InnerSize = 2 * width, LayerCount = layers, HeadCount = 4, KeyValueHeadCount = 2,
            RmsNormEpsilon = 1e-5f, TieWordEmbeddings = shared, BosTokenId = 1, EosTokenIds = new TokenIds([1]),
        },
        seed: 5);

    public static byte[] Write(string folder, int version)
    {
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder);
        LlamaConfig config = (LlamaConfig)checkpoint.Config;
        float[] All(string name) => [.. Enumerable.Range(0, config.LayerCount).SelectMany(l => Tensor(checkpoint, $"model.layers.{l}.{name}.weight"))];
        float[] Rotary(string name) => [.. Enumerable.Range(0, config.LayerCount).SelectMany(l => SideBySide(checkpoint, $"model.layers.{l}.{name}.weight", config.HeadSize))];
        float[] embedding = Tensor(checkpoint, "model.embed_tokens.weight"), final = Tensor(checkpoint, "model.norm.weight");
        float[] attentionNorm = All("input_layernorm"), feedForwardNorm = All("post_attention_layernorm");
        float[] attention = [.. Rotary("self_attn.q_proj"), .. Rotary("self_attn.k_proj"), .. All("self_attn.v_proj"), .. All("self_attn.o_proj")];
        float[] feedForward = [.. All("mlp.gate_proj"), .. All("mlp.down_proj"), .. All("mlp.up_proj")];
        float[] head = config.TieWordEmbeddings ? [] : Tensor(checkpoint, "lm_head.weight");
        float[] tables = new float[config.MaxPositions * config.HeadSize];
        float[] weights = version == 0
            ? [.. embedding, .. attentionNorm, .. attention, .. feedForwardNorm, .. feedForward, .. final, .. tables, .. head]
            : [.. attentionNorm, .. feedForwardNorm, .. final, .. embedding, .. attention, .. feedForward, .. head];
        int vocabulary = version == 0 && !config.TieWordEmbeddings ? -config.VocabSize : config.VocabSize;
        int[] sizes = [config.HiddenSize, config.InnerSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, vocabulary, config.MaxPositions];
        byte[] header = version == 0
            ? Bytes(sizes)
            : [.. "24ka"u8, .. Bytes([1, .. sizes]), config.TieWordEmbeddings ? (byte)1 : (byte)0, .. new byte[256 - 37]];
        return [.. header, .. MemoryMarshal.AsBytes<float>(weights)];
    }

    /// <summary>A tensor of a folder as float32.</summary>
    public static float[] Tensor(Checkpoint checkpoint, string name)
    {
        TensorEntry entry = checkpoint.Entries[name];
        float[] values = new float[entry.ElementCount];
        checkpoint.Read(name, entry.Shape, values);
        return values;
    }

    /// <summary>The same with the rows of a rotary pair side by side.</summary>
    public static float[] SideBySide(Checkpoint checkpoint, string name, int headWidth)
    {
        float[] values = Tensor(checkpoint, name);
        int columns = (int)checkpoint.Entries[name].RowLength;
        float[] turned = new float[values.Length];
        for (int row = 0; row < values.Length / columns; row++)
        {
            int head = row / headWidth, pair = row % headWidth % (headWidth / 2), second = row % headWidth / (headWidth / 2);
            int target = (head * headWidth) + (2 * pair) + second;
            values.AsSpan(row * columns, columns).CopyTo(turned.AsSpan(target * columns));
        }

        return turned;
    }

    private static byte[] Bytes(int[] numbers) => MemoryMarshal.AsBytes<int>(numbers).ToArray();
}
