using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Tensors.Storage;

namespace ElderManaged.Editing;

/// <summary>
/// Which model some files are: SHA-256 of configuration, weights and tokenizer. Large files take a while to read, so what one had is
/// remembered beside its length and time of change.
/// </summary>
internal static partial class ModelIdentity
{
    /// <summary>From this size on a file's digest is remembered: below, it is computed in a blink.</summary>
    internal const long Large = 1 << 26;

    // A file that changes twice within the clock's resolution keeps its time; one that has rested this long does not.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(5);

    /// <summary>Computes the identity of the model in a folder or file.</summary>
    /// <param name="model">Folder or file, as given to <see cref="ElderModel.Load"/>.</param>
    /// <param name="memory">Where the digests of large files are remembered; null for nowhere.</param>
    /// <param name="progress">Told which part of the bytes is read, from 0 to 1.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <param name="large">From which length on a file is remembered.</param>
    public static string Of(string model, string? memory, IProgress<double>? progress, CancellationToken cancellationToken, long large = Large)
    {
        bool isFile = File.Exists(model);
        FileInfo[] files = [.. new DirectoryInfo(isFile ? Path.GetDirectoryName(model)! : model).GetFiles()
            .Where(f => isFile ? f.FullName == model || (f.Extension is ".bin" or ".model" && IsTokenizer(f)) : f.Extension is ".safetensors" or ".gguf" || IsTokenizer(f))
            .OrderBy(f => f.FullName, StringComparer.Ordinal)];
        long all = Math.Max(1, files.Sum(f => f.Length)), before = 0;

        // Names and contents, in an order that does not depend on the file system.
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (FileInfo file in files)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.Name}\n"));
            hash.AppendData(Digest(file, file.Length >= large ? memory : null, progress is null ? null : new Share(progress, before, all), cancellationToken));
            before += file.Length;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static bool IsTokenizer(FileInfo file) =>
        file.Name is "config.json" or "vocab.json" or "merges.txt" or "tokenizer.json"
        || (file.Extension is ".bin" or ".model" && file.Name.StartsWith("tok", StringComparison.Ordinal));

    private static byte[] Digest(FileInfo file, string? memory, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        if (memory is null)
        {
            return FileDigest.Sha256(file.FullName, progress, cancellationToken);
        }

        string note = Path.Combine(memory, $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(file.FullName)))[..32]}.json");
        if (Recall(note) is { } known && known.Path == file.FullName && known.Length == file.Length && known.Changed == file.LastWriteTimeUtc)
        {
            return Convert.FromHexString(known.Sha256);
        }

        byte[] digest = FileDigest.Sha256(file.FullName, progress, cancellationToken);
        if (DateTime.UtcNow - file.LastWriteTimeUtc > Rest)
        {
            Remember(note, new Note(file.FullName, file.Length, file.LastWriteTimeUtc, Convert.ToHexStringLower(digest)));
        }

        return digest;
    }

    // What cannot be read or is no digest is computed anew.
    private static Note? Recall(string path)
    {
        try
        {
            Note? note = File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), NoteJson.Default.Note) : null;
            return note is { Path: not null, Sha256.Length: 2 * SHA256.HashSizeInBytes } && note.Sha256.All(char.IsAsciiHexDigit) ? note : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    private static void Remember(string path, Note note)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, note, NoteJson.Default.Note));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next process reads the file again; nothing else is lost.
        }
    }

    private sealed record Note(string Path, long Length, DateTime Changed, string Sha256);

    [JsonSerializable(typeof(Note))]
    private sealed partial class NoteJson : JsonSerializerContext;

    // Bytes of one file as a part of all.
    private sealed class Share(IProgress<double> progress, long before, long all) : IProgress<long>
    {
        public void Report(long value) => progress.Report((double)(before + value) / all);
    }
}
