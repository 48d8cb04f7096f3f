namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>A model in a GGUF file, seen under Hugging Face's names and in its order of rows.</summary>
public sealed class GgufCheckpoint : Checkpoint
{
    // Hugging Face name → name in the file and, for rotary queries and keys, the rows of half a head.
    private readonly Dictionary<string, (TensorEntry Entry, int HalfHead)> _sources = new(StringComparer.Ordinal);

    private GgufCheckpoint(GgufFile file, ModelConfig config)
        : base(file.Path, config)
    {
        File = file;
        foreach (TensorEntry entry in file.Entries.Values)
        {
            GgufNames.Target? target = GgufNames.Find(entry.Name, config);
            if (target is null)
            {
                // A bias or factor that is passed over would change what the model computes.
                throw new CheckpointException($"{file.Path} has the tensor {CheckpointException.Quote(entry.Name)}, for which {config.ModelType} has no place here; this variant of the architecture is not supported.");
            }

            TryRegister(entry with { Name = target.Value.Name });
            _sources.Add(target.Value.Name, (entry, target.Value.HalfHead));
        }
    }

    /// <summary>The file, with its metadata.</summary>
    public GgufFile File { get; }

    /// <inheritdoc/>
    public override string Format => $"GGUF v{File.Version}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Files => [File.Path];

    /// <inheritdoc/>
    /// <remarks>The converters to GGUF turn GPT-2's matrices to [out, in].</remarks>
    public override bool KeepsConv1D => false;

    internal override bool Waits => File.Waits;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is missing, damaged, or of an unsupported architecture.</exception>
    public static new GgufCheckpoint Open(string path) => Open(GgufFile.Open(path));

    internal static GgufCheckpoint Open(GgufFile file)
    {
        try
        {
            return new GgufCheckpoint(file, GgufConfig.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => File.Dispose();

    private protected override void ReadRows(TensorEntry entry, long firstRow, Span<byte> destination)
    {
        (TensorEntry source, int halfHead) = _sources[entry.Name];
        int rowBytes = (int)source.StoredType.BytesOf(source.RowLength);
        if (halfHead == 0)
        {
            File.ReadBytes(source.Name, firstRow * rowBytes, destination);
            return;
        }

        RotaryRows.Read(halfHead, rowBytes, firstRow, destination, (row, piece) => File.ReadBytes(source.Name, row * rowBytes, piece));
    }
}
