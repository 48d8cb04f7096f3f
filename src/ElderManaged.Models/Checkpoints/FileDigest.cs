using System.Security.Cryptography;

namespace ElderManaged.Models.Checkpoints;

/// <summary>SHA-256 of files of any size.</summary>
public static class FileDigest
{
    private const int Piece = 1 << 20;

    /// <summary>Reads a whole file; while one piece is hashed, the next is read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="progress">Told how many bytes are done.</param>
    /// <param name="cancellationToken">Stops between pieces.</param>
    /// <returns>32 bytes.</returns>
    /// <exception cref="CheckpointException">The file is missing or cannot be read.</exception>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public static byte[] Sha256(string path, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        using ByteSource source = ByteSource.OpenFile(path);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] current = new byte[(int)Math.Min(Piece, source.Length)], next = new byte[current.Length];
        Task<int> reading = Task.Run(() => Read(source, current, 0), CancellationToken.None);
        for (long done = 0; done < source.Length;)
        {
            int count = reading.GetAwaiter().GetResult();
            (byte[] full, done) = (current, done + count);
            (current, next) = (next, current);
            cancellationToken.ThrowIfCancellationRequested();
            if (done < source.Length)
            {
                (byte[] empty, long from) = (current, done);
                reading = Task.Run(() => Read(source, empty, from), CancellationToken.None);
            }

            hash.AppendData(full.AsSpan(0, count));
            progress?.Report(done);
        }

        return hash.GetHashAndReset();
    }

    private static int Read(ByteSource source, byte[] piece, long offset)
    {
        int count = (int)Math.Min(piece.Length, source.Length - offset);
        source.Read(piece.AsSpan(0, count), offset);
        return count;
    }
}
