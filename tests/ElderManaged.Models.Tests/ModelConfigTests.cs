using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests;

public class ModelConfigTests
{
    private const string Gpt2 = """{"model_type":"gpt2","vocab_size":257,"n_positions":64,"n_embd":64,"n_layer":4,"n_head":4,"eos_token_id":256}""";

    private const string Llama = """
        {"architectures":["LlamaForCausalLM"],"vocab_size":257,"max_position_embeddings":64,"hidden_size":64,"intermediate_size":160,
        "num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,"rms_norm_eps":1e-5,"eos_token_id":[255,256],"rope_scaling":null}
        """;

    [Fact]
    public void Gpt2DefaultsAreThoseOfHuggingFace()
    {
        var config = (Gpt2Config)Load(Gpt2);
        Assert.Equal(256, config.InnerSize);
        Assert.Equal(1e-5f, config.LayerNormEpsilon);
        Assert.True(config.TieWordEmbeddings);
        Assert.Equal([256], config.EosTokenIds);
        Assert.Null(config.BosTokenId);
    }

    [Fact]
    public void LlamaTakesSeveralEndTokens()
    {
        var config = (LlamaConfig)Load(Llama);
        Assert.Equal([255, 256], config.EosTokenIds);
        Assert.Equal(10000f, config.RopeTheta);
        Assert.False(config.TieWordEmbeddings);
        Assert.Equal(16, config.HeadSize);
    }

    [Theory]
    [InlineData(Gpt2)]
    [InlineData(Llama)]
    public void SavingAndLoadingGivesAnEqualConfiguration(string json)
    {
        ModelConfig config = Load(json);
        ModelConfig changed = config with { BosTokenId = 3, InnerSize = 99, TieWordEmbeddings = !config.TieWordEmbeddings, EosTokenIds = new TokenIds(1, 2) };
        Assert.Equal(config, Load(config.ToJson()));
        Assert.Equal(changed, Load(changed.ToJson()));
        Assert.NotEqual(config, changed);
        Assert.NotEqual(changed, changed with { EosTokenIds = new TokenIds(1, 3) });
    }

    [Theory]
    [InlineData("\"vocab_size\":257,", "", "vocab_size is missing")]
    [InlineData("\"n_layer\":4", "\"n_layer\":0", "n_layer is '0', not a whole number")]
    [InlineData("\"n_layer\":4", "\"n_layer\":\"4\"", "n_layer is '\"4\"', not a whole number")]
    [InlineData("\"n_layer\":4", "\"n_layer\":3000000000", "n_layer is '3000000000'")]
    [InlineData("\"n_head\":4", "\"n_head\":5", "n_embd is 64, not a multiple of n_head = 5")]
    [InlineData("\"n_layer\":4", "\"n_layer\":4,\"activation_function\":\"relu\"", "activation_function is '\"relu\"', which is not supported")]
    [InlineData("\"n_layer\":4", "\"n_layer\":4,\"activation_function\":1", "activation_function is '1'")]
    [InlineData("\"n_layer\":4", "\"n_layer\":4,\"scale_attn_by_inverse_layer_idx\":true", "scale_attn_by_inverse_layer_idx is 'true'")]
    [InlineData("\"n_layer\":4", "\"n_layer\":4,\"layer_norm_epsilon\":1e-60", "layer_norm_epsilon is '1e-60', not a positive")]
    [InlineData("\"n_layer\":4", "\"n_layer\":4,\"tie_word_embeddings\":1", "tie_word_embeddings is '1', not true or false")]
    [InlineData("\"eos_token_id\":256", "\"eos_token_id\":257", "eos_token_id is '257'; token ids lie from 0 to vocab_size - 1 = 256")]
    [InlineData("gpt2", "mamba", "model_type is 'mamba'; supported are gpt2")]
    [InlineData("\"model_type\":\"gpt2\",", "", "architectures is 'missing'")]
    [InlineData("{", "[", "not valid JSON")]
    public void Gpt2ErrorsNameFileAndField(string from, string to, string expected) => AssertFails(Gpt2, from, to, expected);

    [Theory]
    [InlineData("\"rope_scaling\":null", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}", "rope_scaling is '{\"type\":\"linear\",\"factor\":2}', which is not supported; supported is null")]
    [InlineData("\"num_key_value_heads\":2", "\"num_key_value_heads\":3", "num_key_value_heads is 3, not a divisor")]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":60", "hidden_size is 60, not an even multiple")]
    [InlineData("\"rms_norm_eps\":1e-5,", "", "rms_norm_eps is missing")]
    [InlineData("\"rope_scaling\":null", "\"hidden_act\":\"gelu\"", "hidden_act is '\"gelu\"'")]
    [InlineData("\"rope_scaling\":null", "\"attention_bias\":true", "attention_bias is 'true'")]
    [InlineData("\"rope_scaling\":null", "\"head_dim\":15", "head_dim is 15; rotary")]
    [InlineData("[255,256]", "[255,\"x\"]", "eos_token_id is")]
    public void LlamaErrorsNameFileAndField(string from, string to, string expected) => AssertFails(Llama, from, to, expected);

    [Fact]
    public void TheOtherArchitectureIsRefused()
    {
        using var folder = new TemporaryFolder();
        string path = folder.WriteText("config.json", Llama);
        Assert.Throws<CheckpointException>(() => Gpt2Config.Load(path));
        Assert.Equal(LlamaConfig.Load(path), ModelConfig.Load(path));
    }

    private static void AssertFails(string json, string from, string to, string expected)
    {
        Assert.Contains(from, json, StringComparison.Ordinal);
        using var folder = new TemporaryFolder();
        string path = folder.WriteText("config.json", json.Replace(from, to, StringComparison.Ordinal));
        string message = Assert.Throws<CheckpointException>(() => ModelConfig.Load(path)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.StartsWith(path, message, StringComparison.Ordinal);
    }

    private static ModelConfig Load(string json)
    {
        using var folder = new TemporaryFolder();
        return ModelConfig.Load(folder.WriteText("config.json", json));
    }
}
