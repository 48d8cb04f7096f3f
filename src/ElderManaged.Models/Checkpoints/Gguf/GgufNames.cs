using System.Globalization;
using ElderManaged.Models.Llama;

namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>Which Hugging Face tensor a tensor of a GGUF file is.</summary>
internal static class GgufNames
{
    private static readonly Dictionary<string, string> Llama = new(StringComparer.Ordinal)
    {
        ["token_embd.weight"] = "model.embed_tokens.weight",
        ["output_norm.weight"] = "model.norm.weight",
        ["output.weight"] = "lm_head.weight",
        ["blk.#.attn_norm.weight"] = "model.layers.#.input_layernorm.weight",
        ["blk.#.attn_q.weight"] = "model.layers.#.self_attn.q_proj.weight",
        ["blk.#.attn_k.weight"] = "model.layers.#.self_attn.k_proj.weight",
        ["blk.#.attn_v.weight"] = "model.layers.#.self_attn.v_proj.weight",
        ["blk.#.attn_output.weight"] = "model.layers.#.self_attn.o_proj.weight",
        ["blk.#.ffn_norm.weight"] = "model.layers.#.post_attention_layernorm.weight",
        ["blk.#.ffn_gate.weight"] = "model.layers.#.mlp.gate_proj.weight",
        ["blk.#.ffn_up.weight"] = "model.layers.#.mlp.up_proj.weight",
        ["blk.#.ffn_down.weight"] = "model.layers.#.mlp.down_proj.weight",
    };

    private static readonly Dictionary<string, string> Gpt2 = BothOf(
        ("token_embd.weight", "transformer.wte.weight"),
        ("position_embd.weight", "transformer.wpe.weight"),
        ("output_norm.*", "transformer.ln_f.*"),
        ("output.weight", "lm_head.weight"),
        ("blk.#.attn_norm.*", "transformer.h.#.ln_1.*"),
        ("blk.#.attn_qkv.*", "transformer.h.#.attn.c_attn.*"),
        ("blk.#.attn_output.*", "transformer.h.#.attn.c_proj.*"),
        ("blk.#.ffn_norm.*", "transformer.h.#.ln_2.*"),
        ("blk.#.ffn_up.*", "transformer.h.#.mlp.c_fc.*"),
        ("blk.#.ffn_down.*", "transformer.h.#.mlp.c_proj.*"));

    /// <summary>Where a tensor belongs; null when the architecture has no such tensor.</summary>
    public static Target? Find(string name, ModelConfig config)
    {
        (string pattern, string layer) = WithoutLayer(name);
        if (!(config is LlamaConfig ? Llama : Gpt2).TryGetValue(pattern, out string? found))
        {
            return null;
        }

        bool rotary = config is LlamaConfig && pattern is "blk.#.attn_q.weight" or "blk.#.attn_k.weight";
        return new Target(found.Replace("#", layer, StringComparison.Ordinal), rotary ? config.HeadSize / 2 : 0);
    }

    /// <summary>"blk.7.attn_q.weight" → "blk.#.attn_q.weight" and "7"; only as the number is written, so that 07 is no layer.</summary>
    private static (string Pattern, string Layer) WithoutLayer(string name)
    {
        const string block = "blk.";
        int end = name.StartsWith(block, StringComparison.Ordinal) ? name.IndexOf('.', block.Length) : -1;
        if (end < 0)
        {
            return (name, "");
        }

        string layer = name[block.Length..end];
        return int.TryParse(layer, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && layer == number.ToString(CultureInfo.InvariantCulture)
            ? (string.Concat(block, "#", name.AsSpan(end)), layer)
            : (name, "");
    }

    private static Dictionary<string, string> BothOf(params ReadOnlySpan<(string From, string To)> patterns)
    {
        Dictionary<string, string> names = new(StringComparer.Ordinal);
        foreach ((string from, string to) in patterns)
        {
            foreach (string part in from.EndsWith('*') ? (ReadOnlySpan<string>)["weight", "bias"] : [""])
            {
                names.Add(from.Replace("*", part, StringComparison.Ordinal), to.Replace("*", part, StringComparison.Ordinal));
            }
        }

        return names;
    }

    /// <summary>The Hugging Face name, and half a head's rows where they are kept in another order; else 0.</summary>
    internal readonly record struct Target(string Name, int HalfHead);
}
