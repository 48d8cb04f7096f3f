namespace ElderManaged.Tensors.Storage;

/// <summary>
/// Writes a file completely or not at all: readers see the old content or the new one, never a half-written file,
/// also when the process is killed or the power fails in the middle.
/// </summary>
/// <remarks>
/// The content goes to a temporary file in the same folder (a rename is atomic only within one file system), is forced
/// to the disk, and then takes the place of <c>path</c>. Flushing before renaming matters: some file systems write the
/// new name before the data, and a crash between the two would leave an empty file under the final name.
/// </remarks>
public static class AtomicFile
{
    /// <summary>Writes what <paramref name="write"/> puts on the stream to <paramref name="path"/>, replacing an existing file.</summary>
    /// <param name="path">The file to create or replace; its folder must exist.</param>
    /// <param name="write">Writes the content. When it throws, the file at <paramref name="path"/> is left as it was and the exception passes through.</param>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);

        string target = Path.GetFullPath(path);
        string folder = Path.GetDirectoryName(target) ?? throw new ArgumentException($"'{path}' is a root folder, not a file.", nameof(path));
        string temporary = Path.Combine(folder, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            // The first error is the one worth reporting; a temporary file that cannot be removed is only litter.
            try
            {
                File.Delete(temporary);
            }
            catch (IOException)
            {
            }
            catch (UnauthorizedAccessException)
            {
            }

            throw;
        }
    }
}
