using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ElderManaged.Models.Checkpoints;

/// <summary>Reads a file past the system's page cache (Linux, <c>O_DIRECT</c>), for files that are large beside the memory.</summary>
/// <remarks>
/// <para>
/// An ordinary read takes pages for the cache, copies the data through them, and throws others out to find room. For a file that will
/// not stay in the cache beside the weights made of it, that work is for nothing, and it is most of the work: 13.5 GB take a kernel
/// 25 seconds of processor time that way, and one second when the disk writes into our memory itself.
/// </para>
/// <code>
///   file      … |block|block|block|block|block| …       blocks of 4 KB
///   wanted           [···············]
///   read        [························]              whole blocks, into memory that begins on a block
///   copied           [···············]
/// </code>
/// The one system call in the house: .NET has no name for it. Where it is not to be had, files are read through the cache, with the same result.
/// Reading from several threads at once is safe.
/// </remarks>
internal sealed unsafe partial class UncachedFile : IDisposable
{
    // What disks and file systems ask of places and lengths: 512 bytes or 4 KB.
    private const int Block = 4096;

    // As much as is read at a time; with what it is copied to, it stays in a core's second-level cache.
    private const int Together = 1 << 20;

    private const int GetFlags = 3, SetFlags = 4; // F_GETFL, F_SETFL

    [ThreadStatic]
    private static Blocks? t_blocks;

    private readonly SafeFileHandle _handle;

    private UncachedFile(SafeFileHandle handle) => _handle = handle;

    // O_DIRECT, which every architecture numbers for itself; 0 where it is not known.
    private static int DirectFlag => !OperatingSystem.IsLinux() ? 0 : RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 or Architecture.X86 => 0x4000,
        Architecture.Arm64 or Architecture.Arm => 0x10000,
        _ => 0,
    };

    /// <summary>Opens a file; null where the system or the file system cannot read past its cache.</summary>
    public static UncachedFile? TryOpen(string path)
    {
        if (DirectFlag == 0)
        {
            return null;
        }

        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path);
            int flags = FileControl(handle, GetFlags, 0);
            if (flags >= 0 && FileControl(handle, SetFlags, flags | DirectFlag) == 0)
            {
                UncachedFile file = new(handle);
                file.Read(default, 0); // some file systems say no only when they are asked to read
                return file;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or DllNotFoundException or EntryPointNotFoundException)
        {
        }

        handle?.Dispose();
        return null;
    }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> on.</summary>
    /// <returns>How many bytes there were: fewer than asked for only at the end of the file.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public int Read(Span<byte> destination, long offset)
    {
        Blocks blocks = t_blocks ??= new Blocks();
        int done = 0;
        do
        {
            long from = (offset + done) / Block * Block;
            int skipped = (int)(offset + done - from);
            int wanted = Math.Min(Together, (skipped + destination.Length - done + Block - 1) / Block * Block);
            int count = RandomAccess.Read(_handle, blocks.Span[..Math.Max(wanted, Block)], from) - skipped;
            if (count <= 0)
            {
                break;
            }

            count = Math.Min(count, destination.Length - done);
            blocks.Span.Slice(skipped, count).CopyTo(destination[done..]);
            done += count;
        }
        while (done < destination.Length);
        return done;
    }

    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int FileControl(SafeFileHandle file, int command, int argument);

    // Memory of one thread that begins on a block.
    private sealed class Blocks
    {
        private readonly void* _memory = NativeMemory.AlignedAlloc(Together, Block);

        ~Blocks() => NativeMemory.AlignedFree(_memory);

        public Span<byte> Span => new(_memory, Together);
    }
}
