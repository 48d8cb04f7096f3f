using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;

namespace ElderManaged.Models.Checkpoints;

/// <summary>Reads and checks the header of a safetensors file.</summary>
/// <remarks>
/// Layout (github.com/huggingface/safetensors, "Format"): 8 bytes little-endian length N, N bytes of JSON
/// <c>{"name": {"dtype", "shape", "data_offsets": [begin, end]}, …, "__metadata__": {text: text}}</c>, then the data;
/// offsets count from the start of the data, which the tensors must cover without holes or overlaps.
/// A weight file comes from strangers, so nothing is believed: every size is compared with the real file size before
/// memory is asked for, and each broken rule has its own message.
/// </remarks>
internal sealed class SafetensorsHeader
{
    /// <summary>The reference implementation's limit.</summary>
    internal const long MaxHeaderBytes = 100_000_000;

    internal const int MostTensors = 1 << 16;
    private const int MaxRank = 16;
    private readonly string _file;

    private SafetensorsHeader(string file) => _file = file;

    internal Dictionary<string, TensorEntry> Entries { get; } = new(StringComparer.Ordinal);

    internal Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    internal static SafetensorsHeader Read(ByteSource source)
    {
        var header = new SafetensorsHeader(source.Name);
        long fileLength = source.Length;
        if (fileLength < 8)
        {
            throw header.Error($"has only {fileLength} bytes; a safetensors file has at least 8 and a header");
        }

        Span<byte> lengthBytes = stackalloc byte[8];
        source.Read(lengthBytes, 0);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(lengthBytes);
        if (length > (ulong)(fileLength - 8))
        {
            throw header.Error($"claims a header of {length} bytes but has only {fileLength - 8} bytes after the length field; it is truncated or not a safetensors file");
        }

        if (length > MaxHeaderBytes)
        {
            throw header.Error($"claims a header of {length} bytes; more than {MaxHeaderBytes} are refused");
        }

        byte[] json = new byte[length];
        source.Read(json, 8);
        header.Parse(json);
        header.CheckLayout(dataStart: 8 + (long)length, fileLength);
        return header;
    }

    private void Parse(byte[] json)
    {
        if (json.Length == 0 || json[0] != (byte)'{')
        {
            throw Error("has a header that does not start with '{'; it is not a safetensors file");
        }

        if (!Utf8.IsValid(json))
        {
            throw Error("has a header that is not valid UTF-8");
        }

        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
            reader.Read();
            bool metadataSeen = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                if (name == "__metadata__")
                {
                    if (metadataSeen)
                    {
                        throw Error("has '__metadata__' twice");
                    }

                    metadataSeen = true;
                    ParseMetadata(ref reader);
                }
                else if (Entries.Count == MostTensors)
                {
                    throw Error($"lists more than {MostTensors} tensors");
                }
                else if (!Entries.TryAdd(name, ParseEntry(ref reader, name)))
                {
                    throw Error("occurs twice in the header", name);
                }
            }

            // Only white space may follow; Read throws on anything else.
            reader.Read();
        }
        catch (JsonException exception)
        {
            throw new CheckpointException($"{_file} has a header that is not valid JSON (byte {exception.BytePositionInLine} of it).", exception);
        }
        catch (InvalidOperationException exception)
        {
            // GetString on an escaped half of a surrogate pair.
            throw new CheckpointException($"{_file} has a header with a text that is not valid Unicode.", exception);
        }
    }

    private void ParseMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Error("has a '__metadata__' that is not an object of texts");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw Error($"has a '__metadata__' whose value for {CheckpointException.Quote(key)} is not a text");
            }

            if (!Metadata.TryAdd(key, reader.GetString()!))
            {
                throw Error($"has {CheckpointException.Quote(key)} twice in '__metadata__'");
            }
        }
    }

    private TensorEntry ParseEntry(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Error("is not described by an object with dtype, shape and data_offsets", name);
        }

        StoredType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string? field = reader.ValueTextEquals("dtype"u8) ? "dtype"
                : reader.ValueTextEquals("shape"u8) ? "shape"
                : reader.ValueTextEquals("data_offsets"u8) ? "data_offsets"
                : null;
            reader.Read();
            switch (field)
            {
                case "dtype" when type is null:
                    string dtype = reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw Error("has a dtype that is not a text", name);
                    type = StoredTypes.TryParse(dtype, out StoredType known) ? known : throw Error($"has the unknown dtype {CheckpointException.Quote(dtype)}", name);
                    break;
                case "shape" when shape is null:
                    shape = ParseNumbers(ref reader, name, field, MaxRank);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ParseNumbers(ref reader, name, field, 2);
                    break;
                case not null:
                    throw Error($"has {field} twice", name);
                default:
                    reader.Skip();
                    break;
            }
        }

        if (type is null || shape is null || offsets is null)
        {
            throw Error($"has no {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}", name);
        }

        return CheckEntry(name, type.Value, shape, offsets);
    }

    private long[] ParseNumbers(ref Utf8JsonReader reader, string name, string field, int most)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Error($"has a {field} that is not a list of numbers", name);
        }

        Span<long> numbers = stackalloc long[most];
        int count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
            {
                throw Error($"has a {field} with an entry that is not a whole number from 0 to 2^63 - 1", name);
            }

            if (count == most)
            {
                throw Error($"has a {field} with more than {most} entries", name);
            }

            numbers[count++] = number;
        }

        return numbers[..count].ToArray();
    }

    private TensorEntry CheckEntry(string name, StoredType type, long[] shape, long[] offsets)
    {
        if (offsets.Length != 2 || offsets[0] > offsets[1])
        {
            throw Error($"has data_offsets {CheckpointException.Describe(offsets)}; two numbers are needed, the second not below the first", name);
        }

        long bytes = type.ByteSize();
        try
        {
            foreach (long size in shape)
            {
                bytes = checked(bytes * size);
            }

            if (bytes != offsets[1] - offsets[0])
            {
                throw Error($"of shape {CheckpointException.Describe(shape)} in {type.HeaderName()} needs {bytes} bytes, but its data_offsets hold {offsets[1] - offsets[0]}", name);
            }

            // The entry multiplies without the element size, also in an order where a late 0 cannot hide an overflow.
            return new TensorEntry(name, type, shape) { FileOffset = offsets[0] };
        }
        catch (OverflowException exception)
        {
            throw new CheckpointException($"{_file}: tensor {CheckpointException.Quote(name)} has the shape {CheckpointException.Describe(shape)}, more bytes than 2^63.", exception);
        }
    }

    /// <summary>The tensors must cover the data exactly; offsets become offsets into the file.</summary>
    private void CheckLayout(long dataStart, long fileLength)
    {
        long dataLength = fileLength - dataStart;
        long end = 0;
        string previous = "";
        TensorEntry[] ordered = [.. Entries.Values
            .OrderBy(entry => entry.FileOffset).ThenBy(entry => entry.ByteCount).ThenBy(entry => entry.Name, StringComparer.Ordinal)];
        foreach (TensorEntry entry in ordered)
        {
            // Written so that no sum can overflow: both numbers are below 2^63 and FileOffset + ByteCount was an offset in the header.
            if (entry.FileOffset + entry.ByteCount > dataLength)
            {
                throw Error($"ends at byte {entry.FileOffset + entry.ByteCount} of the data, but the file has only {dataLength} bytes of data; it is truncated", entry.Name);
            }

            if (entry.FileOffset < end)
            {
                throw Error($"overlaps the tensor {CheckpointException.Quote(previous)}", entry.Name);
            }

            if (entry.FileOffset > end)
            {
                throw Error($"leaves {entry.FileOffset - end} unused bytes before it; safetensors allows no holes", entry.Name);
            }

            end = entry.FileOffset + entry.ByteCount;
            previous = entry.Name;
            Entries[entry.Name] = entry with { FileOffset = dataStart + entry.FileOffset };
        }

        if (end != dataLength)
        {
            throw Error($"has {dataLength - end} bytes after its last tensor; safetensors allows no holes");
        }
    }

    private CheckpointException Error(string problem, string? tensor = null) =>
        new(tensor is null ? $"{_file} {problem}." : $"{_file}: tensor {CheckpointException.Quote(tensor)} {problem}.");
}
