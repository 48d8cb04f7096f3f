using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace ElderManaged.Editing.Journal;

/// <summary>
/// Editor states on disk, folders <c>snapshot-N</c> that hold everything learned up to journal record N. A snapshot saves
/// time at opening and is never the only copy: a missing or damaged one costs a longer replay.
/// </summary>
internal sealed class EditSnapshots(string folder, Action<string>? reached)
{
    private const string Name = "snapshot-", Temporary = "snapshot.tmp-", Manifest = "snapshot.json";

    /// <summary>Writes a snapshot completely or not at all, then removes older ones.</summary>
    public void Write(long sequence, Action<string> save)
    {
        string temporary = Path.Combine(folder, Temporary + Number(sequence));
        string final = Path.Combine(folder, Name + Number(sequence));
        RemoveUnfinished();
        Directory.CreateDirectory(temporary);
        reached?.Invoke("snapshot begun");
        save(temporary);
        reached?.Invoke("snapshot files written");
        SortedDictionary<string, string> hashes = new(StringComparer.Ordinal);
        foreach (string file in Directory.EnumerateFiles(temporary))
        {
            hashes.Add(Path.GetFileName(file), Flush(file));
        }

        WriteManifest(Path.Combine(temporary, Manifest), new SnapshotManifest { Sequence = sequence, Sha256 = hashes });
        reached?.Invoke("snapshot complete");
        if (Directory.Exists(final))
        {
            Directory.Delete(final, recursive: true);
        }

        Directory.Move(temporary, final);
        reached?.Invoke("snapshot renamed");
        foreach ((long number, string path) in All())
        {
            if (number != sequence)
            {
                Directory.Delete(path, recursive: true);
            }
        }

        reached?.Invoke("older snapshots removed");
    }

    /// <summary>The newest complete snapshot of at most <paramref name="last"/> records, or null.</summary>
    public (long Sequence, string Path)? Newest(long last)
    {
        foreach ((long number, string path) in All().OrderByDescending(s => s.Number))
        {
            if (number <= last && IsComplete(number, path))
            {
                return (number, path);
            }
        }

        return null;
    }

    private void RemoveUnfinished()
    {
        foreach (string path in Directory.EnumerateDirectories(folder, Temporary + "*"))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private IEnumerable<(long Number, string Path)> All()
    {
        foreach (string path in Directory.GetDirectories(folder, Name + "*"))
        {
            if (long.TryParse(Path.GetFileName(path)[Name.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            {
                yield return (number, path);
            }
        }
    }

    private static bool IsComplete(long number, string path)
    {
        try
        {
            SnapshotManifest? manifest = JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(path, Manifest)), JournalJson.Default.SnapshotManifest);
            return manifest is not null && manifest.Sequence == number
                && manifest.Sha256.All(f => Path.GetFileName(f.Key) == f.Key && Hash(Path.Combine(path, f.Key)) == f.Value);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return false;
        }
    }

    private static string Hash(string file)
    {
        using FileStream stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static string Flush(string file)
    {
        using FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Flush(flushToDisk: true);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static void WriteManifest(string path, SnapshotManifest manifest)
    {
        using FileStream stream = new(path, FileMode.Create, FileAccess.Write);
        JsonSerializer.Serialize(stream, manifest, JournalJson.Default.SnapshotManifest);
        stream.Flush(flushToDisk: true);
    }

    private static string Number(long sequence) => sequence.ToString("D6", CultureInfo.InvariantCulture);
}
