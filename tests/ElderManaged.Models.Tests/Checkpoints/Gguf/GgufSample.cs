using System.Runtime.InteropServices;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Models.Tests.Checkpoints.Llama2C;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints.Gguf;

/// <summary>Writes a Hugging Face folder as a GGUF file, as the converters of llama.cpp do, independent of the reader under test.</summary>
internal static class GgufSample
{
    /// <summary>The builder of a model's file.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="matrix">Stores a matrix [rows, columns]: its type's number and bytes. Null for float32.</param>
    /// <param name="scaled">Changes the configuration's keys.</param>
    public static GgufBuilder Of(Checkpoint checkpoint, Func<float[], (uint Type, byte[] Bytes)>? matrix = null, Action<GgufBuilder>? scaled = null)
    {
        matrix ??= values => (0, Bytes(values));
        ModelConfig config = checkpoint.Config;
        string a = config.ModelType;
        GgufBuilder file = new GgufBuilder()
            .Text("general.architecture", a)
            .UInt32($"{a}.context_length", (uint)config.MaxPositions)
            .UInt32($"{a}.embedding_length", (uint)config.HiddenSize)
            .UInt32($"{a}.feed_forward_length", (uint)config.InnerSize)
            .UInt32($"{a}.block_count", (uint)config.LayerCount)
            .UInt32($"{a}.attention.head_count", (uint)config.HeadCount);
        if (config is LlamaConfig llama)
        {
            file.UInt32("llama.attention.head_count_kv", (uint)llama.KeyValueHeadCount)
                .Float32("llama.attention.layer_norm_rms_epsilon", llama.RmsNormEpsilon)
                .Float32("llama.rope.freq_base", llama.RopeTheta)
                .UInt32("llama.attention.key_length", (uint)llama.HeadSize)
                .UInt32("llama.attention.value_length", (uint)llama.HeadSize)
                .UInt32("llama.rope.dimension_count", (uint)llama.HeadSize);
        }
        else
        {
            file.Float32("gpt2.attention.layer_norm_epsilon", ((Gpt2Config)config).LayerNormEpsilon);
        }

        scaled?.Invoke(file);
        foreach (TensorEntry entry in checkpoint.Entries.Values)
        {
            string name = Name(entry.Name);
            float[] values = Llama2CSample.Tensor(checkpoint, entry.Name);
            long[] shape = entry.Shape;
            if (name.EndsWith("attn_q.weight", StringComparison.Ordinal) || name.EndsWith("attn_k.weight", StringComparison.Ordinal))
            {
                values = Llama2CSample.SideBySide(checkpoint, entry.Name, config.HeadSize);
            }
            else if (config is Gpt2Config && entry.Name.Contains(".c_", StringComparison.Ordinal) && shape.Length == 2)
            {
                values = Transposed(values, (int)shape[0], (int)shape[1]);
                shape = [shape[1], shape[0]];
            }

            (uint type, byte[] bytes) = shape.Length == 2 ? matrix(values) : (0, Bytes(values));
            file.Tensor(name, shape, type, bytes);
        }

        return file;
    }

    /// <summary>The name in GGUF files.</summary>
    public static string Name(string name)
    {
        foreach ((string from, string to) in (ReadOnlySpan<(string, string)>)
        [
            ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("model.layers.", "blk."),
            ("input_layernorm", "attn_norm"), ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
            ("self_attn.o_proj", "attn_output"), ("post_attention_layernorm", "ffn_norm"), ("mlp.gate_proj", "ffn_gate"),
            ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
            ("transformer.wte", "token_embd"), ("transformer.wpe", "position_embd"), ("transformer.ln_f", "output_norm"), ("transformer.h.", "blk."),
            ("ln_1", "attn_norm"), ("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"), ("ln_2", "ffn_norm"), ("mlp.c_fc", "ffn_up"), ("mlp.c_proj", "ffn_down"),
        ])
        {
            name = name.Replace(from, to, StringComparison.Ordinal);
        }

        return name;
    }

    /// <summary>Float32 little-endian.</summary>
    public static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    private static float[] Transposed(float[] values, int rows, int columns)
    {
        float[] result = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            result[(i % columns * rows) + (i / columns)] = values[i];
        }

        return result;
    }
}
