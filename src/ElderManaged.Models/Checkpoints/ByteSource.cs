using Microsoft.Win32.SafeHandles;

namespace ElderManaged.Models.Checkpoints;

/// <summary>The bytes of a checkpoint, readable at any position: a file, or memory.</summary>
/// <remarks>
/// Plain positioned reads instead of a memory map: a mapped file that another program shortens kills the process with a
/// bus error, a read returns fewer bytes and becomes a <see cref="CheckpointException"/>. Nothing is lost: weights are
/// packed for the kernels while they are read, so the file's own pages are needed only once; those of a file that is large
/// beside the memory are not even kept by the system (<see cref="UncachedFile"/>).
/// Reading from several threads at once is safe.
/// </remarks>
internal abstract class ByteSource(string name) : IDisposable
{
    /// <summary>The file's path, for messages.</summary>
    public string Name { get; } = name;

    /// <summary>The number of bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Whether reading waits for the disk, and has no use for a processor meanwhile.</summary>
    public virtual bool Waits => false;

    // From a quarter of the memory on, a file and the weights made of it leave no room for much else.
    private static long Large => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;

    /// <summary>Opens a file.</summary>
    /// <exception cref="CheckpointException">It is missing or cannot be read.</exception>
    public static ByteSource OpenFile(string path) => OpenFile(path, Large);

    /// <summary>The same; files of <paramref name="large"/> bytes and more are read past the system's cache where that can be done.</summary>
    internal static ByteSource OpenFile(string path, long large)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!BitConverter.IsLittleEndian)
        {
            throw new PlatformNotSupportedException("Checkpoints are little-endian, and this machine is not.");
        }

        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path);
            return new FileBytes(path, handle, large);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            handle?.Dispose();
            throw new CheckpointException($"{path} cannot be opened: {exception.Message}", exception);
        }
    }

    /// <summary>Bytes that are in memory already; not copied.</summary>
    public static ByteSource OfMemory(string name, ReadOnlyMemory<byte> bytes) => new MemoryBytes(name, bytes);

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> on.</summary>
    /// <exception cref="CheckpointException">There are not so many bytes.</exception>
    public abstract void Read(Span<byte> destination, long offset);

    public abstract void Dispose();

    private CheckpointException TooShort(long end, int missing) =>
        new($"{Name} ends at byte {end}, {missing} bytes too early; was it changed while open?");

    private sealed class FileBytes : ByteSource
    {
        // Headers are read in small steps, which the system's cache serves best.
        private const int Small = 1 << 14;

        private readonly SafeFileHandle _handle;
        private readonly UncachedFile? _uncached;

        public FileBytes(string path, SafeFileHandle handle, long large)
            : base(path)
        {
            _handle = handle;
            Length = RandomAccess.GetLength(handle);
            _uncached = Length >= large ? UncachedFile.TryOpen(path) : null;
        }

        public override long Length { get; }

        public override bool Waits => _uncached is not null;

        public override void Read(Span<byte> destination, long offset)
        {
            while (destination.Length > 0)
            {
                int count;
                try
                {
                    count = _uncached is not null && destination.Length > Small
                        ? _uncached.Read(destination, offset)
                        : RandomAccess.Read(_handle, destination, offset);
                }
                catch (IOException exception)
                {
                    throw new CheckpointException($"{Name} cannot be read: {exception.Message}", exception);
                }

                if (count == 0)
                {
                    throw TooShort(offset, destination.Length);
                }

                destination = destination[count..];
                offset += count;
            }
        }

        public override void Dispose()
        {
            _uncached?.Dispose();
            _handle.Dispose();
        }
    }

    private sealed class MemoryBytes(string name, ReadOnlyMemory<byte> bytes) : ByteSource(name)
    {
        public override long Length => bytes.Length;

        public override void Read(Span<byte> destination, long offset)
        {
            if (offset > bytes.Length - destination.Length)
            {
                throw TooShort(bytes.Length, (int)(destination.Length - (bytes.Length - offset)));
            }

            bytes.Span.Slice((int)offset, destination.Length).CopyTo(destination);
        }

        public override void Dispose()
        {
        }
    }
}
