using System.Diagnostics;
using System.Globalization;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Cli.Commands.Model;

/// <summary>What the commands that write models share.</summary>
internal static class ModelFiles
{
    private static readonly string[] TokenizerFiles =
        ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model", "vocab.json", "merges.txt", "added_tokens.json", "generation_config.json"];

    /// <summary>The number formats that models are written in.</summary>
    public static IReadOnlyDictionary<string, StoredType> Types { get; } =
        new Dictionary<string, StoredType> { ["f32"] = StoredType.F32, ["f16"] = StoredType.F16, ["bf16"] = StoredType.BF16 };

    /// <summary>Copies the tokenizer files that a folder has, and returns their names.</summary>
    public static string[] CopyTokenizer(string source, string folder)
    {
        string[] files = [.. TokenizerFiles.Where(file => File.Exists(Path.Combine(source, file)))];
        foreach (string file in files)
        {
            File.Copy(Path.Combine(source, file), Path.Combine(folder, file), overwrite: true);
        }

        return files;
    }
}

/// <summary>Every tenth of the way, one line on the error stream with the time left.</summary>
internal sealed class Tenths(Terminal terminal, long all) : IProgress<long>
{
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private long shown;

    public void Report(long value)
    {
        long tenth = value * 10 / Math.Max(1, all);
        if (tenth > shown)
        {
            shown = tenth;
            TimeSpan left = clock.Elapsed * ((double)Math.Max(0, all - value) / Math.Max(1, value));
            terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tenth * 10} % written, {(long)left.TotalMinutes}:{left.Seconds:00} left"));
        }
    }
}
