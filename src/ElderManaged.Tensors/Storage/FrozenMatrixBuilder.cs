using System.Buffers;
using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>Puts whole stored rows into <paramref name="destination"/>, from row <paramref name="first"/> on. Threads call it side by side.</summary>
/// <param name="first">The first row wanted: of W, or of its transpose.</param>
/// <param name="destination">Filled completely, little-endian.</param>
public delegate void ReadStoredRows(int first, Span<byte> destination);

/// <summary>
/// Makes a <see cref="FrozenMatrix"/> from pieces in checkpoint order, so that a large weight is never in memory twice: read a piece,
/// add it, read the next into the same buffer.
/// </summary>
/// <remarks>For one thread. <see cref="StoredNumbers.Float32"/> is gathered first and packed at the end.</remarks>
public sealed class FrozenMatrixBuilder
{
    // With the panels it goes to, in the second-level cache of every core that is in use today.
    private const int PieceBytes = 1 << 18;

    // What a disk reads at full speed.
    private const int WaitedBytes = 1 << 20;

    private readonly StoredNumbers _numbers;
    private readonly int _outFeatures;
    private readonly int _inFeatures;
    private readonly bool _transposed;
    private readonly FrozenWordPanels? _panels;
    private readonly float[] _dense = [];
    private int _rows;
    private bool _built;

    /// <summary>Takes the memory for the whole weight.</summary>
    /// <param name="numbers">How the numbers are stored, in the pieces as in memory.</param>
    /// <param name="outFeatures">Rows of W.</param>
    /// <param name="inFeatures">Columns of W; a multiple of the format's block length.</param>
    /// <param name="transposed">Whether the pieces come from (In, Out) instead of (Out, In), as GPT-2's do; only for formats without blocks.</param>
    /// <exception cref="ArgumentException">A size is not positive, or does not go with the format.</exception>
    public FrozenMatrixBuilder(StoredNumbers numbers, int outFeatures, int inFeatures, bool transposed = false)
    {
        if (outFeatures < 1 || inFeatures < 1)
        {
            throw new ArgumentException($"FrozenMatrix: a weight of {outFeatures} outputs and {inFeatures} inputs is empty; sizes must be positive.");
        }

        int block = numbers.BlockLength();
        if (inFeatures % block != 0)
        {
            throw new ArgumentException($"FrozenMatrix: {numbers} keeps a row in blocks of {block} numbers, which rows of {inFeatures} inputs do not fill; store this weight as Float16 or BFloat16.");
        }

        if (transposed && block > 1)
        {
            throw new ArgumentException($"FrozenMatrix: the blocks of {numbers} lie along the inputs, so a weight stored as (In, Out) cannot be in this format; transpose it first.");
        }

        (_numbers, _outFeatures, _inFeatures, _transposed) = (numbers, outFeatures, inFeatures, transposed);
        if (numbers == StoredNumbers.Float32)
        {
            _dense = new float[checked(outFeatures * inFeatures)];
        }
        else
        {
            _panels = new FrozenWordPanels(numbers, outFeatures, inFeatures);
        }
    }

    /// <summary>Bytes of one stored row: of W, or of its transpose when transposed.</summary>
    public long RowBytes => _numbers.ByteCount(RowLength);

    /// <summary>Rows still to come.</summary>
    public int RowsLeft => (_transposed ? _inFeatures : _outFeatures) - _rows;

    private int RowLength => _transposed ? _outFeatures : _inFeatures;

    /// <summary>Adds the next rows.</summary>
    /// <param name="stored">Any number of whole rows, little-endian.</param>
    /// <exception cref="ArgumentException">Not whole rows, or more than are left.</exception>
    public void AddRows(ReadOnlySpan<byte> stored)
    {
        ObjectDisposedException.ThrowIf(_built, this);
        long rows = stored.Length / RowBytes;
        if (rows * RowBytes != stored.Length || rows > RowsLeft)
        {
            throw new ArgumentException($"FrozenMatrix: {stored.Length} bytes were added, but {RowsLeft} rows of {RowBytes} bytes are left of the weight [{_outFeatures}, {_inFeatures}] as {_numbers}; add whole rows.");
        }

        if (rows == 0)
        {
            return;
        }

        if (_panels is null)
        {
            stored.CopyTo(Dense(_rows, (int)rows));
        }
        else
        {
            Fill(_panels, _rows, stored);
        }

        _rows += (int)rows;
    }

    /// <summary>
    /// Adds all rows that are left. All threads take part: each reads a piece of its own and packs it while it is in the
    /// cache.
    /// </summary>
    /// <param name="read">Reads rows. What it throws ends the call and is rethrown; the builder is then of no more use.</param>
    /// <param name="waits">
    /// Whether reading waits for a disk and has no use for a processor meanwhile (reading from memory, or the system's cache of files, does not
    /// wait). Then more pieces, and larger ones, are read at a time than packed, so that neither disk nor processors wait for the other.
    /// </param>
    public void ReadRows(ReadStoredRows read, bool waits = false)
    {
        ArgumentNullException.ThrowIfNull(read);
        ObjectDisposedException.ThrowIf(_built, this);
        if (_transposed && _rows % 2 != 0 && RowsLeft > 0)
        {
            ReadPiece(read, _rows++, 1, packing: null); // shares its words with the row before, and no two threads may write one word
        }

        using SemaphoreSlim? packing = waits ? new(CpuThreads.Count) : null;
        int together = RowsOfPiece(waits ? WaitedBytes : PieceBytes);
        int pieces = (int)(((long)RowsLeft + together - 1) / together);
        var work = (Builder: this, read, packing, together, First: _rows);
        if (waits)
        {
            WaitingThreads.Run(pieces, work, static (s, piece) => Piece(s, piece));
        }
        else
        {
            CpuThreads.Run(pieces, work, static (s, piece) => Piece(s, piece));
        }

        static void Piece(in (FrozenMatrixBuilder Builder, ReadStoredRows Read, SemaphoreSlim? Packing, int Together, int First) s, int piece)
        {
            int first = s.First + (piece * s.Together);
            s.Builder.ReadPiece(s.Read, first, Math.Min(s.Together, s.First + s.Builder.RowsLeft - first), s.Packing);
        }

        _rows += RowsLeft;
    }

    /// <summary>The weight, when all rows are there.</summary>
    /// <exception cref="InvalidOperationException">Rows are missing.</exception>
    public FrozenMatrix Build()
    {
        if (RowsLeft > 0)
        {
            throw new InvalidOperationException($"FrozenMatrix: {RowsLeft} rows of the weight [{_outFeatures}, {_inFeatures}] have not been added.");
        }

        _built = true;
        return _panels is not null ? new FrozenMatrix(_panels)
            : _transposed ? FrozenMatrix.FromTransposed(_dense, _outFeatures, _inFeatures)
            : FrozenMatrix.FromDense(_dense, _outFeatures, _inFeatures);
    }

    // Whole cache lines of a panel, which is 16 rows, or the two rows that share a word.
    private int RowsOfPiece(int bytes)
    {
        int unit = _transposed ? 2 : FrozenWordPanels.InLine;
        return unit * (int)Math.Clamp(bytes / (unit * RowBytes), 1, int.MaxValue / 2 / unit);
    }

    private void ReadPiece(ReadStoredRows read, int first, int rows, SemaphoreSlim? packing)
    {
        if (_panels is null)
        {
            read(first, Dense(first, rows));
            return;
        }

        int length = checked((int)(rows * RowBytes));
        byte[] piece = ArrayPool<byte>.Shared.Rent(length);
        read(first, piece.AsSpan(0, length));
        packing?.Wait();
        try
        {
            Fill(_panels, first, piece.AsSpan(0, length));
        }
        finally
        {
            packing?.Release();
        }

        ArrayPool<byte>.Shared.Return(piece);
    }

    private Span<byte> Dense(int firstRow, int rows) => MemoryMarshal.AsBytes(_dense.AsSpan(firstRow * RowLength, rows * RowLength));

    private void Fill(FrozenWordPanels panels, int firstRow, ReadOnlySpan<byte> stored)
    {
        if (_transposed)
        {
            panels.FillColumns(firstRow, stored);
        }
        else
        {
            panels.FillRows(firstRow, stored);
        }
    }
}
