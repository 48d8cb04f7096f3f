using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using ElderManaged.Tensors.Storage;

namespace ElderManaged.Models.Checkpoints;

/// <summary>Puts elements of a tensor, from <paramref name="start"/> on, into <paramref name="destination"/>.</summary>
/// <param name="start">Index of the first element wanted, row-major.</param>
/// <param name="destination">Filled completely.</param>
public delegate void FillFloat32(long start, Span<float> destination);

/// <summary>
/// Collects named tensors and writes them as one safetensors file. Data is converted and written piece by piece, so a
/// file larger than memory can be written from a source that computes or reads it on demand.
/// </summary>
/// <remarks>
/// Tensors are ordered by name (ordinal), so the same tensors give the same bytes in whatever order they were added.
/// Not safe for use from several threads at once.
/// </remarks>
public sealed class SafetensorsWriter
{
    private const int ChunkElements = 1 << 14;
    private readonly SortedDictionary<string, (TensorEntry Entry, Action<Stream> Write)> _tensors = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);

    /// <summary>Adds a line to the file's <c>__metadata__</c>.</summary>
    /// <param name="key">A name not used before.</param>
    /// <param name="value">Any text.</param>
    /// <returns>This writer.</returns>
    public SafetensorsWriter AddMetadata(string key, string value)
    {
        _metadata.Add(key, value);
        return this;
    }

    /// <summary>Adds a floating-point tensor.</summary>
    /// <param name="name">A name not used before.</param>
    /// <param name="shape">The sizes, outermost first; empty for a scalar.</param>
    /// <param name="values">The elements, row-major. Not copied: leave them alone until the file is saved.</param>
    /// <param name="storedAs">F32, F16 or BF16; narrower types round to nearest, ties to even, and refuse finite values that would become infinite.</param>
    /// <returns>This writer.</returns>
    public SafetensorsWriter Add(string name, ReadOnlySpan<long> shape, ReadOnlyMemory<float> values, StoredType storedAs = StoredType.F32)
    {
        TensorEntry entry = NewEntry(name, shape, storedAs);
        CheckCount(entry, values.Length);
        return Add(entry, (start, destination) => values.Span.Slice((int)start, destination.Length).CopyTo(destination));
    }

    /// <summary>Adds a floating-point tensor whose values are produced while the file is written.</summary>
    /// <param name="name">A name not used before.</param>
    /// <param name="shape">The sizes, outermost first; empty for a scalar.</param>
    /// <param name="fill">Called with rising start positions that cover the tensor once for every save.</param>
    /// <param name="storedAs">F32, F16 or BF16.</param>
    /// <returns>This writer.</returns>
    public SafetensorsWriter Add(string name, ReadOnlySpan<long> shape, FillFloat32 fill, StoredType storedAs = StoredType.F32)
    {
        ArgumentNullException.ThrowIfNull(fill);
        return Add(NewEntry(name, shape, storedAs), fill);
    }

    /// <summary>Adds an integer tensor, stored as I64.</summary>
    /// <param name="name">A name not used before.</param>
    /// <param name="shape">The sizes, outermost first; empty for a scalar.</param>
    /// <param name="values">The elements, row-major. Not copied: leave them alone until the file is saved.</param>
    /// <returns>This writer.</returns>
    public SafetensorsWriter AddInt64(string name, ReadOnlySpan<long> shape, ReadOnlyMemory<long> values)
    {
        TensorEntry entry = NewEntry(name, shape, StoredType.I64);
        CheckCount(entry, values.Length);
        Register(entry, stream => stream.Write(MemoryMarshal.AsBytes(values.Span)));
        return this;
    }

    /// <summary>Writes the file completely or not at all (see <see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file to create or replace.</param>
    public void Save(string path) => AtomicFile.Write(path, Write);

    /// <summary>Writes the file's bytes to a stream.</summary>
    /// <param name="stream">Need not be seekable.</param>
    public void Write(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        byte[] header = Header();
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach ((_, Action<Stream> write) in _tensors.Values)
        {
            write(stream);
        }
    }

    private byte[] Header()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in _metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach ((TensorEntry entry, _) in _tensors.Values)
            {
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", entry.StoredType.HeaderName());
                json.WriteStartArray("shape");
                foreach (long size in entry.Shape)
                {
                    json.WriteNumberValue(size);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                offset = checked(offset + entry.ByteCount);
                json.WriteNumberValue(offset);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Spaces up to a multiple of 8, so that the data starts aligned.
        while (buffer.Length % 8 != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        return buffer.Length <= SafetensorsHeader.MaxHeaderBytes
            ? buffer.ToArray()
            : throw new CheckpointException($"{_tensors.Count} tensors need a header of {buffer.Length} bytes; readers refuse more than {SafetensorsHeader.MaxHeaderBytes}.");
    }

    private SafetensorsWriter Add(TensorEntry entry, FillFloat32 fill)
    {
        if (entry.StoredType is not (StoredType.F32 or StoredType.F16 or StoredType.BF16))
        {
            throw new ArgumentException($"Tensor {CheckpointException.Quote(entry.Name)}: float values are stored as F32, F16 or BF16, not {entry.StoredType.HeaderName()}.", nameof(entry));
        }

        Register(entry, stream => WriteFloats(stream, entry, fill));
        return this;
    }

    private static void WriteFloats(Stream stream, TensorEntry entry, FillFloat32 fill)
    {
        float[] values = new float[Math.Min(entry.ElementCount, ChunkElements)];
        ushort[] narrow = entry.StoredType == StoredType.F32 ? [] : new ushort[values.Length];
        for (long done = 0; done < entry.ElementCount;)
        {
            Span<float> part = values.AsSpan(0, (int)Math.Min(values.Length, entry.ElementCount - done));
            fill(done, part);
            if (entry.StoredType == StoredType.F32)
            {
                stream.Write(MemoryMarshal.AsBytes(part));
            }
            else
            {
                Span<ushort> bits = narrow.AsSpan(0, part.Length);
                Narrow(entry, part, bits, done);
                stream.Write(MemoryMarshal.AsBytes(bits));
            }

            done += part.Length;
        }
    }

    /// <summary>Converts; a weight that would silently turn into infinity ruins a model, so that is an error.</summary>
    private static void Narrow(TensorEntry entry, ReadOnlySpan<float> values, Span<ushort> bits, long start)
    {
        bool half = entry.StoredType == StoredType.F16;
        if (half)
        {
            FloatConversion.ToFloat16(values, MemoryMarshal.Cast<ushort, Half>(bits));
        }
        else
        {
            FloatConversion.ToBFloat16(values, bits);
        }

        int infinity = half ? 0x7C00 : 0x7F80;
        for (int i = 0; i < bits.Length; i++)
        {
            if ((bits[i] & 0x7FFF) == infinity && float.IsFinite(values[i]))
            {
                throw new CheckpointException($"Tensor {CheckpointException.Quote(entry.Name)}: element {start + i} is {values[i]:R}, too large for {entry.StoredType.HeaderName()}; store it as F32.");
            }
        }
    }

    private static TensorEntry NewEntry(string name, ReadOnlySpan<long> shape, StoredType type)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name == "__metadata__")
        {
            throw new ArgumentException("'__metadata__' is reserved by the format; choose another tensor name.", nameof(name));
        }

        foreach (long size in shape)
        {
            if (size < 0)
            {
                throw new ArgumentException($"Tensor {CheckpointException.Quote(name)}: the shape {CheckpointException.Describe(shape)} has a negative size.", nameof(shape));
            }
        }

        try
        {
            var entry = new TensorEntry(name, type, shape.ToArray());
            _ = entry.ByteCount; // overflows here and not in the middle of writing
            return entry;
        }
        catch (OverflowException exception)
        {
            throw new ArgumentException($"Tensor {CheckpointException.Quote(name)}: the shape {CheckpointException.Describe(shape)} has more bytes than 2^63.", nameof(shape), exception);
        }
    }

    private static void CheckCount(TensorEntry entry, int count)
    {
        if (entry.ElementCount != count)
        {
            throw new ArgumentException($"Tensor {CheckpointException.Quote(entry.Name)}: the shape {CheckpointException.Describe(entry.Shape)} has {entry.ElementCount} elements, but {count} values were given.", nameof(count));
        }
    }

    private void Register(TensorEntry entry, Action<Stream> write)
    {
        if (!_tensors.TryAdd(entry.Name, (entry, write)))
        {
            throw new ArgumentException($"Tensor {CheckpointException.Quote(entry.Name)} was added before.", nameof(entry));
        }
    }
}
