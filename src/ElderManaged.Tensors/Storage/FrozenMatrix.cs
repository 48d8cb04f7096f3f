namespace ElderManaged.Tensors;

/// <summary>
/// An immutable weight W of shape (Out, In) that is multiplied many times: packed once for the kernels, shared by all threads.
/// Two operations only: y = x·Wᵀ and, for the gradient that flows through it, dx = dy·W.
/// </summary>
/// <remarks>
/// <para>
/// A row of y has the same bits whatever other rows are in the call, for any number of threads and any SIMD level
/// (see <see cref="Gemm"/>): an input that is passed on unchanged gives exactly the base model's output, in any batch. A row of dx
/// has the same bits alone as among up to four, and others, always the same, among five and more.
/// </para>
/// <para>
/// Weights in a stored format narrower than float32 (see <see cref="StoredNumbers"/>) are used as they are; their products have the
/// bits that the dequantized float32 weight would give with as many rows.
/// </para>
/// <para>Safe for any number of concurrent readers.</para>
/// </remarks>
public sealed partial class FrozenMatrix
{
    // How the numbers are kept is the storage's own matter; other number formats are other storages.
    private readonly FrozenStorage _storage;

    internal FrozenMatrix(FrozenStorage storage) => _storage = storage;

    /// <summary>Rows of W: the width of y.</summary>
    public int OutFeatures => _storage.OutFeatures;

    /// <summary>Columns of W: the width of x.</summary>
    public int InFeatures => _storage.InFeatures;

    /// <summary>How the numbers are kept.</summary>
    public StoredNumbers Numbers => _storage.Numbers;

    /// <summary>The memory in use now, in bytes.</summary>
    public long Bytes => _storage.Bytes;

    /// <summary>Copies a dense weight stored as (Out, In), row-major.</summary>
    /// <param name="w">The weight.</param>
    /// <param name="outFeatures">Rows of W.</param>
    /// <param name="inFeatures">Columns of W.</param>
    /// <exception cref="ArgumentException">The length is not outFeatures·inFeatures.</exception>
    public static FrozenMatrix FromDense(ReadOnlySpan<float> w, int outFeatures, int inFeatures)
    {
        CheckWeight(w.Length, outFeatures, inFeatures);
        return new FrozenMatrix(new FrozenFloatPanels(w, outFeatures, inFeatures, transposed: false));
    }

    /// <summary>Copies a dense weight stored as (In, Out), row-major, as GPT-2 checkpoints do.</summary>
    /// <param name="w">The transpose of the weight.</param>
    /// <param name="outFeatures">Rows of W.</param>
    /// <param name="inFeatures">Columns of W.</param>
    /// <exception cref="ArgumentException">The length is not outFeatures·inFeatures.</exception>
    public static FrozenMatrix FromTransposed(ReadOnlySpan<float> w, int outFeatures, int inFeatures)
    {
        CheckWeight(w.Length, outFeatures, inFeatures);
        return new FrozenMatrix(new FrozenFloatPanels(w, outFeatures, inFeatures, transposed: true));
    }

    /// <summary>Takes a weight as a checkpoint stores it; it stays in this format. For large weights see <see cref="FrozenMatrixBuilder"/>.</summary>
    /// <param name="numbers">How the numbers are stored.</param>
    /// <param name="data">All numbers, little-endian: W (Out, In) row by row.</param>
    /// <param name="outFeatures">Rows of W.</param>
    /// <param name="inFeatures">Columns of W; a multiple of the format's block length.</param>
    /// <param name="transposed">Whether the data is (In, Out), as in GPT-2 checkpoints; only for formats without blocks.</param>
    /// <exception cref="ArgumentException">The sizes disagree, or do not go with the format.</exception>
    public static FrozenMatrix FromStored(StoredNumbers numbers, ReadOnlySpan<byte> data, int outFeatures, int inFeatures, bool transposed = false)
    {
        FrozenMatrixBuilder builder = new(numbers, outFeatures, inFeatures, transposed);
        builder.AddRows(data);
        return builder.Build();
    }

    /// <summary>Rounds a dense weight (Out, In) to a format and keeps it so. Not for the formats that are only read, see <see cref="StoredBlocks.Quantize"/>.</summary>
    /// <param name="numbers">The format.</param>
    /// <param name="w">The weight, row by row.</param>
    /// <param name="outFeatures">Rows of W.</param>
    /// <param name="inFeatures">Columns of W; a multiple of the format's block length.</param>
    /// <exception cref="ArgumentException">The sizes disagree, or do not go with the format.</exception>
    public static unsafe FrozenMatrix Quantize(StoredNumbers numbers, ReadOnlySpan<float> w, int outFeatures, int inFeatures)
    {
        CheckWeight(w.Length, outFeatures, inFeatures);
        FrozenMatrixBuilder builder = new(numbers, outFeatures, inFeatures);
        fixed (float* pinned = w)
        {
            nint rows = (nint)pinned; // threads take part, each with rows of its own
            builder.ReadRows((first, stored) =>
            {
                float* row = (float*)rows + ((nint)first * inFeatures);
                StoredBlocks.Quantize(numbers, new ReadOnlySpan<float>(row, checked((int)(stored.Length / builder.RowBytes * inFeatures))), stored);
            });
        }

        return builder.Build();
    }

    /// <summary>y = x·Wᵀ + b.</summary>
    /// <param name="x">(rows, In)</param>
    /// <param name="rows">Rows of x and y.</param>
    /// <param name="y">(rows, Out)</param>
    /// <param name="bias">b, one float for each output, which the sums of every row begin with; empty: they begin with zero.</param>
    /// <exception cref="ArgumentException">A span is too short, or there is a bias of another length than Out.</exception>
    public void Multiply(ReadOnlySpan<float> x, int rows, Span<float> y, ReadOnlySpan<float> bias = default)
    {
        CheckSpans(nameof(Multiply), x.Length, y.Length, rows, InFeatures, OutFeatures);
        if (!bias.IsEmpty && bias.Length != OutFeatures)
        {
            throw new ArgumentException($"FrozenMatrix.Multiply: the bias has {bias.Length} elements, but the weight [{OutFeatures}, {InFeatures}] has {OutFeatures} outputs.");
        }

        if (rows > 0)
        {
            ProductLog.Note(this, rows, transposed: false, accumulate: false);
            _storage.Multiply(x, rows, y, bias);
        }
    }

    /// <summary>dx = dy·W, plus dx when <paramref name="accumulate"/> is set.</summary>
    /// <param name="dy">(rows, Out)</param>
    /// <param name="rows">Rows of dy and dx.</param>
    /// <param name="dx">(rows, In)</param>
    /// <param name="accumulate">Adds to dx instead of replacing it.</param>
    /// <exception cref="ArgumentException">A span is too short.</exception>
    public void MultiplyTransposed(ReadOnlySpan<float> dy, int rows, Span<float> dx, bool accumulate = false)
    {
        CheckSpans(nameof(MultiplyTransposed), dy.Length, dx.Length, rows, OutFeatures, InFeatures);
        if (rows > 0)
        {
            ProductLog.Note(this, rows, transposed: true, accumulate);
            _storage.MultiplyTransposed(dy, rows, dx, accumulate);
        }
    }

    /// <summary>The losses of rows whose targets are outputs of W, and their slopes dℓ/dx: see <see cref="Op.LinearCrossEntropy"/>.</summary>
    /// <param name="x">(rows, In)</param>
    /// <param name="rows">Rows of x.</param>
    /// <param name="targets">An output for each row, or <see cref="Op.IgnoredTarget"/>; checked by the caller.</param>
    /// <param name="losses">(rows)</param>
    /// <param name="slopes">(rows, In)</param>
    internal unsafe void Losses(ReadOnlySpan<float> x, int rows, ReadOnlySpan<int> targets, Span<float> losses, Span<float> slopes)
    {
        ProductLog.NoteLosses(this, rows);
        fixed (float* px = x, pl = losses, ps = slopes)
        fixed (int* pt = targets)
        {
            LinearCrossEntropyKernel.Run(_storage, px, rows, pt, pl, ps);
        }

        GC.KeepAlive(_storage);
    }

    /// <summary>Writes W densely as (Out, In), row-major.</summary>
    /// <param name="dense">Room for Out·In floats.</param>
    /// <exception cref="ArgumentException">The span is too short.</exception>
    public void CopyTo(Span<float> dense)
    {
        if (dense.Length < (long)OutFeatures * InFeatures)
        {
            throw new ArgumentException($"FrozenMatrix.CopyTo: the weight [{OutFeatures}, {InFeatures}] needs {(long)OutFeatures * InFeatures} floats, but the span holds {dense.Length}.");
        }

        for (int o = 0; o < OutFeatures; o++)
        {
            _storage.CopyRow(o, dense.Slice(o * InFeatures, InFeatures));
        }
    }

    /// <summary>Writes one row of W, for a weight that also serves as an embedding table.</summary>
    /// <param name="outFeature">Which row.</param>
    /// <param name="row">Room for In floats.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    /// <exception cref="ArgumentException">The span is too short.</exception>
    public void CopyRow(int outFeature, Span<float> row)
    {
        if ((uint)outFeature >= (uint)OutFeatures)
        {
            throw new ArgumentOutOfRangeException(nameof(outFeature), outFeature, $"FrozenMatrix.CopyRow: row {outFeature} of the weight [{OutFeatures}, {InFeatures}] does not exist.");
        }

        if (row.Length < InFeatures)
        {
            throw new ArgumentException($"FrozenMatrix.CopyRow: a row of the weight [{OutFeatures}, {InFeatures}] needs {InFeatures} floats, but the span holds {row.Length}.");
        }

        _storage.CopyRow(outFeature, row[..InFeatures]);
    }

    private static void CheckWeight(int length, int outFeatures, int inFeatures)
    {
        if (outFeatures < 1 || inFeatures < 1 || length != (long)outFeatures * inFeatures)
        {
            throw new ArgumentException($"FrozenMatrix: a weight of {outFeatures} outputs and {inFeatures} inputs has {(long)outFeatures * inFeatures} elements, but {length} were given; sizes must be positive and agree.");
        }
    }

    private static void CheckSpans(string name, int inputLength, int outputLength, int rows, int inputWidth, int outputWidth)
    {
        if (rows < 0 || inputLength < (long)rows * inputWidth || outputLength < (long)rows * outputWidth)
        {
            throw new ArgumentException($"FrozenMatrix.{name}: {rows} rows need an input of [{rows}, {inputWidth}] and an output of [{rows}, {outputWidth}], but the spans hold {inputLength} and {outputLength} floats.");
        }
    }
}
