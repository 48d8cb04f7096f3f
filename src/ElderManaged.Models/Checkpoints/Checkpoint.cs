using System.Runtime.InteropServices;

namespace ElderManaged.Models.Checkpoints;

/// <summary>
/// A model on disk in any supported format: its configuration and its tensors, under the names and in the order of
/// elements that Hugging Face publishes, however the file itself keeps them.
/// </summary>
/// <remarks>
/// Opening reads headers only. Tensors are read when asked for, row by row, so that loading a model never needs more than
/// the model itself and one piece of the file. Reading from several threads at once is safe.
/// </remarks>
public abstract class Checkpoint : IDisposable
{
    private const int PieceBytes = 1 << 18;
    private readonly Dictionary<string, TensorEntry> _entries = new(StringComparer.Ordinal);

    private protected Checkpoint(string path, ModelConfig config)
    {
        Path = path;
        Config = config;
    }

    /// <summary>The file or folder.</summary>
    public string Path { get; }

    /// <summary>The configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>The format's name, for example <c>GGUF v3</c>.</summary>
    public abstract string Format { get; }

    /// <summary>The files that make up the model, weights and configuration, by full path.</summary>
    public abstract IReadOnlyList<string> Files { get; }

    /// <summary>All tensors by Hugging Face name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <summary>Whether GPT-2's matrices lie as [in, out], as its <c>Conv1D</c> keeps them; false when they are [out, in] like all others.</summary>
    public virtual bool KeepsConv1D => true;

    /// <inheritdoc cref="ByteSource.Waits"/>
    internal abstract bool Waits { get; }

    /// <summary>Opens a model: a Hugging Face folder, a safetensors file in one, a GGUF file, or a llama2.c file.</summary>
    /// <param name="path">The folder or file. A folder without <c>config.json</c> may hold one GGUF or llama2.c file.</param>
    /// <exception cref="CheckpointException">Nothing is there, or it is damaged or unsupported.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return ModelFormats.Open(path);
    }

    /// <summary>Whether a tensor of that name exists.</summary>
    /// <param name="name">The tensor's Hugging Face name.</param>
    public bool Contains(string name) => _entries.ContainsKey(name);

    /// <summary>Reads a floating-point or quantized tensor as float32 and checks its shape.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="expectedShape">The shape the model needs.</param>
    /// <param name="destination">As many elements as the shape has.</param>
    /// <exception cref="CheckpointException">No such tensor (the message lists the nearest names), another shape, or not floating-point.</exception>
    public void Read(string name, ReadOnlySpan<long> expectedShape, Span<float> destination)
    {
        TensorEntry entry = Find(name, expectedShape);
        if (destination.Length != entry.ElementCount)
        {
            throw new ArgumentException($"{Path}: tensor {CheckpointException.Quote(name)} has {entry.ElementCount} elements, the destination {destination.Length}.", nameof(destination));
        }

        if (destination.Length == 0)
        {
            return;
        }

        int width = (int)entry.RowLength;
        long rowBytes = entry.StoredType.BytesOf(width);
        int rows = destination.Length / width;
        int together = (int)Math.Clamp(PieceBytes / rowBytes, 1, rows);
        byte[] piece = entry.StoredType == StoredType.F32 ? [] : new byte[together * rowBytes];
        for (int row = 0; row < rows; row += together)
        {
            int count = Math.Min(together, rows - row);
            Span<float> values = destination.Slice(row * width, count * width);
            Span<byte> bytes = entry.StoredType == StoredType.F32 ? MemoryMarshal.AsBytes(values) : piece.AsSpan(0, (int)(count * rowBytes));
            ReadRows(entry, row, bytes);
            if (entry.StoredType != StoredType.F32)
            {
                StoredValues.ToFloat32(entry.StoredType, bytes, values);
            }
        }
    }

    /// <summary>The entry of a tensor, checked against the shape that the model needs.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="expectedShape">The shape the model needs.</param>
    /// <exception cref="CheckpointException">No such tensor, another shape, or values that are no weights.</exception>
    public TensorEntry Find(string name, ReadOnlySpan<long> expectedShape)
    {
        if (!_entries.TryGetValue(name, out TensorEntry? entry))
        {
            throw new CheckpointException($"{Path} has no tensor {CheckpointException.Quote(name)} (expected shape {CheckpointException.Describe(expectedShape)}){NearestNames.Suggest(name, _entries.Keys)}.");
        }

        if (!expectedShape.SequenceEqual(entry.Shape))
        {
            throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} has the shape {CheckpointException.Describe(entry.Shape)}, expected {CheckpointException.Describe(expectedShape)}; do the configuration and the weights belong together?");
        }

        if (!StoredValues.Converts(entry.StoredType))
        {
            throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} is stored as {entry.StoredType.DisplayName()} and cannot be read as float32.");
        }

        return entry.ElementCount <= int.MaxValue
            ? entry
            : throw new CheckpointException($"{Path}: tensor {CheckpointException.Quote(name)} of shape {CheckpointException.Describe(entry.Shape)} has {entry.ElementCount} elements; more than {int.MaxValue} in one tensor are not supported.");
    }

    /// <summary>Reads whole rows as they are stored; vectors are one row.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="firstRow">The first row wanted.</param>
    /// <param name="destination">Filled with as many rows as it has room for: a multiple of a row's bytes.</param>
    public void ReadRows(string name, long firstRow, Span<byte> destination)
    {
        if (!_entries.TryGetValue(name, out TensorEntry? entry))
        {
            throw new CheckpointException($"{Path} has no tensor {CheckpointException.Quote(name)}{NearestNames.Suggest(name, _entries.Keys)}.");
        }

        long rowBytes = entry.StoredType.BytesOf(entry.RowLength);
        if (firstRow < 0 || destination.Length % rowBytes != 0 || firstRow + (destination.Length / rowBytes) > entry.ElementCount / entry.RowLength)
        {
            throw new ArgumentException($"{Path}: tensor {CheckpointException.Quote(name)} has {entry.ElementCount / entry.RowLength} rows of {rowBytes} bytes; {destination.Length} bytes from row {firstRow} on are no rows of it.");
        }

        ReadRows(entry, firstRow, destination);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the files.</summary>
    /// <param name="disposing">Always true; there is no finalizer.</param>
    protected abstract void Dispose(bool disposing);

    private protected abstract void ReadRows(TensorEntry entry, long firstRow, Span<byte> destination);

    private protected bool TryRegister(TensorEntry entry) => _entries.TryAdd(entry.Name, entry);
}
