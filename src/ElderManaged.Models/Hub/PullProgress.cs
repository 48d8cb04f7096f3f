namespace ElderManaged.Models.Hub;

/// <summary>How far a download is.</summary>
/// <param name="File">The file that is being fetched.</param>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Count">How many files there are.</param>
/// <param name="Done">Bytes of the file that are there, also from earlier.</param>
/// <param name="Total">Bytes of the file; null if the server does not say.</param>
/// <param name="PerSecond">Bytes a second since this download began.</param>
/// <param name="Note">What is remarkable, for example that the connection broke and is made again; else null.</param>
public readonly record struct PullProgress(string File, int Number, int Count, long Done, long? Total, double PerSecond, string? Note = null)
{
    /// <summary>The time left for this file; null if it cannot be known.</summary>
    public TimeSpan? Left => Total is long total && PerSecond > 0 ? TimeSpan.FromSeconds(Math.Min((total - Done) / PerSecond, 1e8)) : null;
}

/// <summary>How a file was checked.</summary>
public enum FileCheck
{
    /// <summary>It was there already.</summary>
    Present,

    /// <summary>Its SHA-256 is the one that the hub names (files in large-file storage: weights, SentencePiece models).</summary>
    Sha256,

    /// <summary>Its git blob SHA-1 is the one that the hub names (small text files: the hub knows no SHA-256 of them).</summary>
    GitSha1,

    /// <summary>The server named no checksum; only the length was compared, if it was named.</summary>
    LengthOnly,
}

/// <summary>A file that was fetched.</summary>
/// <param name="File">Its name.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Check">How it was checked.</param>
public sealed record PulledFile(string File, long Bytes, FileCheck Check);

/// <summary>A model that was fetched.</summary>
/// <param name="Folder">Where it is.</param>
/// <param name="Commit">The repository's commit that all files are of, if the hub names it.</param>
/// <param name="Files">Its files.</param>
public sealed record PulledModel(string Folder, string? Commit, IReadOnlyList<PulledFile> Files);
