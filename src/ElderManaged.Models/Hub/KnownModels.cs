namespace ElderManaged.Models.Hub;

/// <summary>A model on the Hugging Face hub that can be fetched by a short name.</summary>
/// <param name="Name">The short name.</param>
/// <param name="Repository">Owner and repository on the hub.</param>
/// <param name="Files">What a model folder needs of it.</param>
/// <param name="Size">About how much there is to download.</param>
/// <param name="Gated">Whether its owner wants terms accepted first, so that a token is needed.</param>
public sealed record KnownModel(string Name, string Repository, IReadOnlyList<string> Files, string Size, bool Gated = false);

/// <summary>The table of names. A new model is a new line.</summary>
public static class KnownModels
{
    /// <summary>All models, the smallest first.</summary>
    public static IReadOnlyList<KnownModel> All { get; } =
    [
        new("smollm2-135m", "HuggingFaceTB/SmolLM2-135M", ["config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"], "0.3 GB"),
        new("gpt2", "openai-community/gpt2", ["config.json", "vocab.json", "merges.txt", "model.safetensors"], "0.5 GB"),
        new("tinyllama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", ["config.json", "tokenizer_config.json", "tokenizer.model", "model.safetensors"], "2.2 GB"),
        new("gpt2-xl", "openai-community/gpt2-xl", ["config.json", "vocab.json", "merges.txt", "model.safetensors"], "6.4 GB"),
        new(
            "llama-2-7b", "meta-llama/Llama-2-7b-hf",
            ["config.json", "tokenizer_config.json", "tokenizer.model", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            "13.5 GB", Gated: true),
    ];

    /// <summary>The model of that name, or null; case does not matter.</summary>
    /// <param name="name">The short name.</param>
    public static KnownModel? Find(string name) => All.FirstOrDefault(model => string.Equals(model.Name, name, StringComparison.OrdinalIgnoreCase));
}
