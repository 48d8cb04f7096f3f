using ElderManaged.Models.Checkpoints.Gguf;

namespace ElderManaged.Models.Tokenizers;

/// <summary>Loads a tokenizer from whatever files a model comes with.</summary>
public static class Tokenizer
{
    private const string Json = "tokenizer.json", Model = "tokenizer.model", Vocabulary = "vocab.json", Merges = "merges.txt";

    /// <summary>What <see cref="Load"/> looks for in a folder, in this order.</summary>
    public static IReadOnlyList<string> Files { get; } = [Json, Model, $"{Vocabulary} with {Merges}", "*.gguf", "tok*.model", "tok*.bin"];

    /// <summary>
    /// Loads a tokenizer. A file says what it is by its name: <c>tokenizer.json</c> (Hugging Face), <c>*.model</c>
    /// (SentencePiece), <c>vocab.json</c> or <c>merges.txt</c> (GPT-2), <c>*.gguf</c>, <c>tok*.bin</c> (llama2.c). In a
    /// folder, and beside a file of weights, the first of <see cref="Files"/> that is there is taken.
    /// </summary>
    /// <param name="path">A file or a folder.</param>
    /// <exception cref="FileNotFoundException">There is no such file, or no tokenizer in the folder.</exception>
    /// <exception cref="InvalidDataException">The tokenizer is damaged or of a kind that is not supported; the message says what and where.</exception>
    /// <exception cref="Checkpoints.CheckpointException">The GGUF file is damaged.</exception>
    public static ITokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            return LoadFolder(path);
        }

        string name = Path.GetFileName(path);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"There is no tokenizer {path}.", path);
        }

        return name switch
        {
            Vocabulary or Merges => ByteLevelBpe.Load(folder),
            _ when name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) => LoadGguf(path),
            _ when name.EndsWith(".model", StringComparison.OrdinalIgnoreCase) => LoadModel(path),
            _ when IsTokenizerBin(name) => Llama2cVocabulary.Load(path),
            _ when name.EndsWith(".bin", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)
                || name is "config.json" or "model.safetensors.index.json" => LoadFolder(folder),
            _ when name.EndsWith(".json", StringComparison.OrdinalIgnoreCase) => TokenizerJsonFile.Load(path),
            _ => throw new InvalidDataException($"{path} is no tokenizer file; known are {string.Join(", ", Files)}."),
        };
    }

    private static ITokenizer LoadFolder(string folder)
    {
        string Inside(string file) => Path.Combine(folder, file);
        if (File.Exists(Inside(Json)))
        {
            return TokenizerJsonFile.Load(Inside(Json));
        }

        if (File.Exists(Inside(Model)))
        {
            return LoadModel(Inside(Model));
        }

        if (File.Exists(Inside(Vocabulary)) || File.Exists(Inside(Merges)))
        {
            return ByteLevelBpe.Load(folder);
        }

        foreach (string pattern in (ReadOnlySpan<string>)["*.gguf", "tok*.model", "tok*.bin"])
        {
            string[] found = Directory.GetFiles(folder, pattern);
            if (found.Length > 1)
            {
                throw new InvalidDataException($"{folder} has several tokenizers ({string.Join(", ", found.Select(Path.GetFileName).Order(StringComparer.Ordinal))}); name the file to use.");
            }

            if (found.Length == 1)
            {
                return Load(found[0]);
            }
        }

        throw new FileNotFoundException($"{folder} has no tokenizer; looked for {string.Join(", ", Files)}.", folder);
    }

    private static SentencePieceTokenizer LoadModel(string path)
    {
        TokenizerConfig config = TokenizerConfig.Beside(path);
        return SentencePieceFile.Load(path, config.AddsBegin ?? true, config.AddsEnd ?? false);
    }

    private static ITokenizer LoadGguf(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        return GgufTokenizer.Read(file);
    }

    private static bool IsTokenizerBin(string name) =>
        name.StartsWith("tok", StringComparison.OrdinalIgnoreCase) && name.EndsWith(".bin", StringComparison.OrdinalIgnoreCase);
}
