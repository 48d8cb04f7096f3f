using ElderManaged.Models.Llama;

namespace ElderManaged.Models.Checkpoints.Llama2C;

/// <summary>The order of tensors in a llama2.c file.</summary>
internal static class Llama2CLayout
{
    /// <summary>All tensors in the order of the file, by Hugging Face name; the rotary tables of version 0 have none.</summary>
    public static IEnumerable<(string Name, long[] Shape, bool Rotary)> Tensors(Llama2CHeader header)
    {
        LlamaConfig config = header.Config;
        foreach (Kind kind in Kinds(header))
        {
            for (int layer = 0; layer < (kind.EachLayer ? config.LayerCount : 1); layer++)
            {
                yield return (kind.EachLayer ? $"model.layers.{layer}.{kind.Name}" : kind.Name, kind.Shape, kind.Rotary);
            }
        }
    }

    /// <summary>The bytes of the whole file, which may be more than any file can have.</summary>
    public static Int128 FileBytes(Llama2CHeader header) => Kinds(header).Aggregate((Int128)header.Bytes, (sum, kind) =>
        sum + kind.Shape.Aggregate((Int128)(kind.EachLayer ? header.Config.LayerCount : 1) * sizeof(float), (product, size) => product * size));

    private static List<Kind> Kinds(Llama2CHeader header)
    {
        LlamaConfig config = header.Config;
        long c = config.HiddenSize, f = config.InnerSize, kv = (long)config.KeyValueHeadCount * config.HeadSize;
        Kind embedding = new("model.embed_tokens.weight", [config.VocabSize, c], EachLayer: false);
        Kind attentionNorm = new("input_layernorm.weight", [c]);
        Kind feedForwardNorm = new("post_attention_layernorm.weight", [c]);
        Kind finalNorm = new("model.norm.weight", [c], EachLayer: false);
        Kind[] attention =
        [
            new("self_attn.q_proj.weight", [c, c], Rotary: true),
            new("self_attn.k_proj.weight", [kv, c], Rotary: true),
            new("self_attn.v_proj.weight", [kv, c]),
            new("self_attn.o_proj.weight", [c, c]),
        ];
        Kind[] feedForward =
        [
            new("mlp.gate_proj.weight", [f, c]), // w1
            new("mlp.down_proj.weight", [c, f]), // w2
            new("mlp.up_proj.weight", [f, c]),   // w3
        ];
        Kind[] head = config.TieWordEmbeddings ? [] : [new("lm_head.weight", [config.VocabSize, c], EachLayer: false)];
        Kind table = new("", [config.MaxPositions, config.HeadSize / 2], EachLayer: false);
        return header.Version == 0
            ? [embedding, attentionNorm, .. attention, feedForwardNorm, .. feedForward, finalNorm, table, table, .. head]
            : [attentionNorm, feedForwardNorm, finalNorm, embedding, .. attention, .. feedForward, .. head];
    }

    private sealed record Kind(string Name, long[] Shape, bool EachLayer = true, bool Rotary = false);
}
