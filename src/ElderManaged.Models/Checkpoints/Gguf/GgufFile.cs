using System.Text;
using System.Text.Unicode;

namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>
/// An open GGUF file, version 2 or 3: its metadata and the list of its tensors. Opening reads and checks the header only.
/// </summary>
/// <remarks>
/// Layout (github.com/ggml-org/ggml, docs/gguf.md): magic, version, tensor count, key count; the keys and values; for each
/// tensor its name, sizes (innermost first), type and offset; then the data, aligned. A file comes from strangers, so every
/// count and length is compared with the file's size before memory is asked for. Reading from several threads is safe.
/// </remarks>
public sealed class GgufFile : IDisposable
{
    internal const long MostTensors = 1 << 16;
    private const int LongestName = 1 << 10;
    private const int MaxRank = 4;
    private const long DefaultAlignment = 32;
    private readonly ByteSource _source;
    private readonly Dictionary<string, TensorEntry> _entries = new(StringComparer.Ordinal);

    private GgufFile(ByteSource source)
    {
        _source = source;
        var reader = new GgufReader(source);
        ReadStart(reader, out long tensors, out long keys);
        Metadata = GgufMetadata.Read(source, reader, keys);
        for (long i = 0; i < tensors; i++)
        {
            ReadEntry(reader);
        }

        PlaceData(reader.Position);
    }

    /// <summary>The path the file was opened under.</summary>
    public string Path => _source.Name;

    /// <summary>The length of the file in bytes.</summary>
    public long Length => _source.Length;

    /// <inheritdoc cref="ByteSource.Waits"/>
    internal bool Waits => _source.Waits;

    /// <summary>2 or 3.</summary>
    public int Version { get; private set; }

    /// <summary>The keys and values.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>All tensors by name; shapes are outermost first, as everywhere in this program.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <summary>Opens a file and checks its header completely.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">The file is missing, cannot be read, or breaks a rule of the format.</exception>
    public static GgufFile Open(string path) => Open(ByteSource.OpenFile(path));

    /// <summary>Reads a file that is in memory already; the bytes are not copied.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="CheckpointException">It breaks a rule of the format.</exception>
    public static GgufFile Read(string name, ReadOnlyMemory<byte> bytes) => Open(ByteSource.OfMemory(name, bytes));

    internal static GgufFile Open(ByteSource source)
    {
        try
        {
            return new GgufFile(source);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Reads a part of a tensor's bytes as they stand in the file.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="start">The first byte wanted, counted from the tensor's start.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="CheckpointException">No such tensor, or the part reaches beyond it.</exception>
    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        TensorEntry entry = Find(name);
        if (start < 0 || start > entry.ByteCount - destination.Length)
        {
            throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} has {entry.ByteCount} bytes; {destination.Length} from {start} on do not exist.");
        }

        _source.Read(destination, entry.FileOffset + start);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _source.Dispose();

    internal TensorEntry Find(string name) =>
        _entries.TryGetValue(name, out TensorEntry? entry)
            ? entry
            : throw new CheckpointException($"{Path} has no tensor {CheckpointException.Quote(name)}{NearestNames.Suggest(name, _entries.Keys)}.");

    private void ReadStart(GgufReader reader, out long tensors, out long keys)
    {
        if (!reader.Take(4, "the magic bytes GGUF").SequenceEqual("GGUF"u8))
        {
            throw reader.Error("does not start with the bytes GGUF; it is no GGUF file");
        }

        uint version = reader.UInt32("the version");
        Version = version switch
        {
            2 or 3 => (int)version,
            0x0200_0000 or 0x0300_0000 => throw reader.Error("is big-endian; little-endian files are supported"),
            _ => throw reader.Error($"has the GGUF version {version}; supported are 2 and 3"),
        };

        // A tensor takes at least a length, a rank, a type and an offset; a key a length, a type and a byte.
        tensors = reader.Count("number of tensors", 24, MostTensors);
        keys = reader.Count("number of metadata keys", 13, long.MaxValue);
    }

    private void ReadEntry(GgufReader reader)
    {
        ReadOnlySpan<byte> bytes = reader.Text("a tensor's name", LongestName);
        string name = Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw reader.Error($"has a tensor (number {_entries.Count + 1}) whose name is not valid UTF-8");
        uint rank = reader.UInt32("a tensor's number of sizes");
        if (rank > MaxRank)
        {
            throw Error(name, $"has {rank} sizes; at most {MaxRank} are allowed");
        }

        long[] shape = new long[rank];
        for (int i = shape.Length - 1; i >= 0; i--) // innermost first in the file
        {
            ulong size = reader.UInt64("a tensor's sizes");
            shape[i] = size is > 0 and <= long.MaxValue ? (long)size : throw Error(name, $"has the size {size}; sizes lie from 1 to 2^63 - 1");
        }

        uint code = reader.UInt32("a tensor's type");
        ulong offset = reader.UInt64("a tensor's offset");
        if (!GgmlTypes.TryFind(code, out StoredType type))
        {
            throw Error(name, $"is stored as {GgmlTypes.Describe(code)}, which is not supported; supported are {GgmlTypes.Supported}");
        }

        TensorEntry entry = NewEntry(name, type, shape, offset);
        if (!_entries.TryAdd(name, entry))
        {
            throw Error(name, "occurs twice");
        }
    }

    private TensorEntry NewEntry(string name, StoredType type, long[] shape, ulong offset)
    {
        long columns = shape.Length == 0 ? 1 : shape[^1];
        if (columns % type.BlockLength() != 0)
        {
            throw Error(name, $"has rows of {columns} elements, but {type.DisplayName()} keeps blocks of {type.BlockLength()}");
        }

        try
        {
            var entry = new TensorEntry(name, type, shape) { FileOffset = checked((long)offset) };
            return entry.ByteCount <= _source.Length
                ? entry
                : throw Error(name, $"of shape {CheckpointException.Describe(shape)} in {type.DisplayName()} needs {entry.ByteCount} bytes, but the whole file has {_source.Length}");
        }
        catch (OverflowException exception)
        {
            throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} has the shape {CheckpointException.Describe(shape)} at offset {offset}, more than 2^63 bytes.", exception);
        }
    }

    /// <summary>Turns offsets into offsets into the file; tensors must lie in it and not overlap.</summary>
    private void PlaceData(long headerEnd)
    {
        long alignment = Metadata.Integer("general.alignment") ?? DefaultAlignment;
        if (alignment < 1 || alignment > 1 << 30 || !System.Numerics.BitOperations.IsPow2(alignment))
        {
            throw Metadata.Error("general.alignment", $"is {alignment}, not a power of two");
        }

        long dataStart = (headerEnd + alignment - 1) / alignment * alignment;
        long dataLength = Math.Max(0, _source.Length - dataStart);
        long end = 0;
        string previous = "";
        foreach (TensorEntry entry in _entries.Values.OrderBy(entry => entry.FileOffset).ThenBy(entry => entry.Name, StringComparer.Ordinal).ToArray())
        {
            if (entry.FileOffset % alignment != 0)
            {
                throw Error(entry.Name, $"starts at byte {entry.FileOffset} of the data, not at a multiple of {alignment}");
            }

            if (entry.FileOffset > dataLength - entry.ByteCount)
            {
                throw Error(entry.Name, $"starts at byte {entry.FileOffset} of the data and has {entry.ByteCount}, but the file has only {dataLength} bytes of data; it is truncated");
            }

            if (entry.FileOffset < end)
            {
                throw Error(entry.Name, $"overlaps the tensor {CheckpointException.Quote(previous)}");
            }

            end = entry.FileOffset + entry.ByteCount;
            previous = entry.Name;
            _entries[entry.Name] = entry with { FileOffset = dataStart + entry.FileOffset };
        }
    }

    private CheckpointException Error(string tensor, string problem) => new($"{Path}: tensor {CheckpointException.Quote(tensor)} {problem}.");
}
