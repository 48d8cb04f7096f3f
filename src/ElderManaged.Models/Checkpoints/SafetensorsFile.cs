using System.Runtime.InteropServices;

namespace ElderManaged.Models.Checkpoints;

/// <summary>An open safetensors file: the list of its tensors, and reading of any of them with conversion to float32.</summary>
/// <remarks>
/// Opening reads and checks the header only; tensor data is read when asked for, straight into the caller's memory.
/// Reading from several threads at once is safe.
/// </remarks>
public sealed class SafetensorsFile : IDisposable
{
    private const int ChunkBytes = 1 << 16;
    private readonly ByteSource _source;
    private readonly SafetensorsHeader _header;

    private SafetensorsFile(ByteSource source, SafetensorsHeader header)
    {
        _source = source;
        _header = header;
    }

    /// <summary>The path the file was opened under.</summary>
    public string Path => _source.Name;

    /// <summary>The length of the file in bytes.</summary>
    public long Length => _source.Length;

    /// <inheritdoc cref="ByteSource.Waits"/>
    internal bool Waits => _source.Waits;

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _header.Entries;

    /// <summary>The file's <c>__metadata__</c>; empty when it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Opens a file and checks its header completely.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">The file is missing, cannot be read, or breaks a rule of the format.</exception>
    public static SafetensorsFile Open(string path) => Open(ByteSource.OpenFile(path));

    /// <summary>Reads a file that is in memory already; the bytes are not copied.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="CheckpointException">It breaks a rule of the format.</exception>
    public static SafetensorsFile Read(string name, ReadOnlyMemory<byte> bytes) => Open(ByteSource.OfMemory(name, bytes));

    internal static SafetensorsFile Open(ByteSource source)
    {
        try
        {
            return new SafetensorsFile(source, SafetensorsHeader.Read(source));
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Reads a tensor of type F32, F16, BF16 or F64 as float32, row-major.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">Exactly as many elements as the tensor has.</param>
    /// <exception cref="CheckpointException">No such tensor, another size, or not a floating-point type.</exception>
    public void ReadFloat32(string name, Span<float> destination)
    {
        TensorEntry entry = Find(name, destination.Length);
        switch (entry.StoredType)
        {
            case StoredType.F32:
                _source.Read(MemoryMarshal.AsBytes(destination), entry.FileOffset);
                break;
            case StoredType.F16:
                ReadConverted<Half>(entry, destination, FloatConversion.FromFloat16);
                break;
            case StoredType.BF16:
                ReadConverted<ushort>(entry, destination, FloatConversion.FromBFloat16);
                break;
            case StoredType.F64:
                ReadConverted<double>(entry, destination, static (from, to) =>
                {
                    for (int i = 0; i < from.Length; i++)
                    {
                        to[i] = (float)from[i];
                    }
                });
                break;
            default:
                throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} is stored as {entry.StoredType.HeaderName()} and cannot be read as float32.");
        }
    }

    /// <summary>Reads a tensor of type I64 or I32, row-major.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">Exactly as many elements as the tensor has.</param>
    /// <exception cref="CheckpointException">No such tensor, another size, or another type.</exception>
    public void ReadInt64(string name, Span<long> destination)
    {
        TensorEntry entry = Find(name, destination.Length);
        switch (entry.StoredType)
        {
            case StoredType.I64:
                _source.Read(MemoryMarshal.AsBytes(destination), entry.FileOffset);
                break;
            case StoredType.I32:
                ReadConverted<int, long>(entry, destination, static (from, to) =>
                {
                    for (int i = 0; i < from.Length; i++)
                    {
                        to[i] = from[i];
                    }
                });
                break;
            default:
                throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} is stored as {entry.StoredType.HeaderName()} and cannot be read as int64.");
        }
    }

    /// <summary>Reads a tensor's bytes as they stand in the file (little-endian), without conversion.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">Exactly <see cref="TensorEntry.ByteCount"/> bytes.</param>
    public void ReadBytes(string name, Span<byte> destination)
    {
        TensorEntry entry = Find(name);
        if (entry.ByteCount != destination.Length)
        {
            throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} has {entry.ByteCount} bytes, the destination {destination.Length}.");
        }

        _source.Read(destination, entry.FileOffset);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _source.Dispose();

    /// <summary>Reads a part of a tensor's bytes as they stand in the file.</summary>
    internal void ReadBytes(TensorEntry entry, long start, Span<byte> destination) => _source.Read(destination, entry.FileOffset + start);

    private delegate void Convert<TFrom, TTo>(ReadOnlySpan<TFrom> from, Span<TTo> to);

    private void ReadConverted<TFrom>(TensorEntry entry, Span<float> destination, Convert<TFrom, float> convert)
        where TFrom : unmanaged => ReadConverted<TFrom, float>(entry, destination, convert);

    private unsafe void ReadConverted<TFrom, TTo>(TensorEntry entry, Span<TTo> destination, Convert<TFrom, TTo> convert)
        where TFrom : unmanaged
    {
        TFrom[] chunk = new TFrom[Math.Min(destination.Length, ChunkBytes / sizeof(TFrom))];
        for (int done = 0; done < destination.Length;)
        {
            Span<TFrom> part = chunk.AsSpan(0, Math.Min(chunk.Length, destination.Length - done));
            _source.Read(MemoryMarshal.AsBytes(part), entry.FileOffset + ((long)done * sizeof(TFrom)));
            convert(part, destination.Slice(done, part.Length));
            done += part.Length;
        }
    }

    private TensorEntry Find(string name) =>
        Entries.TryGetValue(name, out TensorEntry? entry)
            ? entry
            : throw new CheckpointException($"{Path} has no tensor {CheckpointException.Quote(name)}{NearestNames.Suggest(name, Entries.Keys)}.");

    private TensorEntry Find(string name, int length)
    {
        TensorEntry entry = Find(name);
        return entry.ElementCount == length
            ? entry
            : throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} of shape {CheckpointException.Describe(entry.Shape)} has {entry.ElementCount} elements, the destination {length}.");
    }
}
