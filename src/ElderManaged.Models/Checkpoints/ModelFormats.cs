using System.Text;
using ElderManaged.Models.Checkpoints.Gguf;
using ElderManaged.Models.Checkpoints.Llama2C;

namespace ElderManaged.Models.Checkpoints;

/// <summary>A format that models are read from.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Files">What lies on the disk.</param>
/// <param name="Architectures">The architectures that can be read from it.</param>
/// <param name="Types">The number formats that weights may have in it.</param>
/// <param name="Notes">What is supported besides, and what is refused.</param>
public sealed record ModelFormat(
    string Name, string Files, IReadOnlyList<string> Architectures, IReadOnlyList<StoredType> Types, string Notes);

/// <summary>The formats that models are read from; the one list behind opening a path and the table in the README.</summary>
public static class ModelFormats
{
    private static readonly Known[] List =
    [
        new(
            new ModelFormat(
                "Hugging Face safetensors", "folder with `config.json` and `model.safetensors`, or shards with `model.safetensors.index.json`",
                ["gpt2", "llama"], [StoredType.F32, StoredType.F16, StoredType.BF16, StoredType.F64],
                "GPT-2 with or without the prefix `transformer.`; tied and own heads, grouped key/value heads, `head_dim`, `rope_theta`"),
            path => Path.GetExtension(path) == ".safetensors" || path.EndsWith(".safetensors.index.json", StringComparison.Ordinal),
            path => CheckpointFolder.Open(Path.GetDirectoryName(Path.GetFullPath(path))!, path.EndsWith(".json", StringComparison.Ordinal) ? null : Path.GetFileName(path))),
        new(
            new ModelFormat(
                "GGUF", "one `.gguf` file, version 2 or 3", ["gpt2", "llama"], [.. GgmlTypes.All],
                "configuration and tokenizer from the file; types may be mixed"),
            path => Path.GetExtension(path) == ".gguf",
            GgufCheckpoint.Open),
        new(
            new ModelFormat(
                "llama2.c", "one `.bin` file, version 0 or 1, with its tokenizer beside it", ["llama"], [StoredType.F32],
                "tied and own heads, grouped key/value heads"),
            path => Path.GetExtension(path) == ".bin",
            Llama2CCheckpoint.Open),
    ];

    /// <summary>All formats.</summary>
    public static IReadOnlyList<ModelFormat> All { get; } = [.. List.Select(known => known.Format)];

    /// <summary>The table of formats as Markdown, as the README shows it.</summary>
    public static string Markdown()
    {
        var table = new StringBuilder("| format | files | architectures | number formats | notes |\n|---|---|---|---|---|\n");
        foreach (ModelFormat format in All)
        {
            table.Append($"| {format.Name} | {format.Files} | {string.Join(", ", format.Architectures)} | {string.Join(", ", format.Types.Select(type => type.DisplayName()))} | {format.Notes} |\n");
        }

        return table.ToString();
    }

    internal static Checkpoint Open(string path)
    {
        if (Directory.Exists(path))
        {
            return OpenFolder(path);
        }

        if (!File.Exists(path))
        {
            throw new CheckpointException($"There is no file or folder {path}.");
        }

        Known? known = List.FirstOrDefault(known => known.Takes(path));
        return known is not null
            ? known.Open(path)
            : throw new CheckpointException($"{path} is no model file that is known by its name; known are folders with config.json and safetensors, .safetensors, .gguf and .bin (llama2.c).");
    }

    /// <summary>A Hugging Face folder, or one in which a single model file lies.</summary>
    private static Checkpoint OpenFolder(string path)
    {
        if (File.Exists(Path.Combine(path, CheckpointFolder.ConfigFile)))
        {
            return CheckpointFolder.Open(path);
        }

        string[] models = [.. Directory.GetFiles(path, "*.gguf").Order(StringComparer.Ordinal)];
        return models.Length switch
        {
            1 => GgufCheckpoint.Open(models[0]),
            0 => throw new CheckpointException($"{path} has no config.json and no .gguf file; a model folder needs one of them."),
            _ => throw new CheckpointException($"{path} has {models.Length} .gguf files; name the one to open."),
        };
    }

    private sealed record Known(ModelFormat Format, Func<string, bool> Takes, Func<string, Checkpoint> Open);
}
