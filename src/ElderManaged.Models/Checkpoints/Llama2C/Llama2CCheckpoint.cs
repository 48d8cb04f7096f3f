using ElderManaged.Models.Llama;

namespace ElderManaged.Models.Checkpoints.Llama2C;

/// <summary>
/// A model file of llama2.c (github.com/karpathy/llama2.c, export.py): version 0, a bare header of seven numbers, or
/// version 1, with a magic number; float32 in both.
/// </summary>
/// <remarks>
/// The header says nothing about rotary base, norm epsilon or tokens that end a text; they are constants of that program
/// (10000, 1e-5, and token 1, which begins the next text). Each kind of tensor is stored for all layers at once.
/// </remarks>
public sealed class Llama2CCheckpoint : Checkpoint
{
    private readonly ByteSource _source;
    private readonly Dictionary<string, int> _halfHeads = new(StringComparer.Ordinal);

    private Llama2CCheckpoint(ByteSource source, Llama2CHeader header)
        : base(source.Name, header.Config)
    {
        _source = source;
        Version = header.Version;
        long offset = header.Bytes;
        foreach ((string name, long[] shape, bool rotary) in Llama2CLayout.Tensors(header))
        {
            TensorEntry entry = new(name, StoredType.F32, shape) { FileOffset = offset };
            offset += entry.ByteCount;
            if (name.Length == 0)
            {
                continue; // the rotary tables of version 0, which everybody computes anew
            }

            TryRegister(entry);
            _halfHeads.Add(name, rotary ? header.Config.HeadSize / 2 : 0);
        }
    }

    /// <summary>0 or 1.</summary>
    public int Version { get; }

    /// <inheritdoc/>
    public override string Format => $"llama2.c v{Version}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Files => [Path];

    internal override bool Waits => _source.Waits;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is missing, damaged, or no such file.</exception>
    public static new Llama2CCheckpoint Open(string path) => Open(ByteSource.OpenFile(path));

    internal static Llama2CCheckpoint Open(ByteSource source)
    {
        try
        {
            return new Llama2CCheckpoint(source, Llama2CHeader.Read(source));
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _source.Dispose();

    private protected override void ReadRows(TensorEntry entry, long firstRow, Span<byte> destination)
    {
        int rowBytes = (int)entry.StoredType.BytesOf(entry.RowLength);
        int halfHead = _halfHeads[entry.Name];
        if (halfHead == 0)
        {
            _source.Read(destination, entry.FileOffset + (firstRow * rowBytes));
            return;
        }

        RotaryRows.Read(halfHead, rowBytes, firstRow, destination, (row, piece) => _source.Read(piece, entry.FileOffset + (row * rowBytes)));
    }
}
