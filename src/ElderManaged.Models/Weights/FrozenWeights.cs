using System.Runtime.InteropServices;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>
/// Frozen weights from a checkpoint. Matrices stay in the format they are stored in, unless another is asked for, and are
/// packed piece by piece while they are read: no more memory than the packed model and one piece.
/// </summary>
internal sealed class FrozenWeights(Checkpoint checkpoint, LoadOptions options) : WeightSource
{
    private const int PieceBytes = 1 << 20;
    private const int LongestThinRow = 1 << 18; // kernels keep outputs 32 side by side, whatever their number
    private byte[] piece = [];
    private float[] values = [];
    private long bytesRead;

    public override Tensor Tensor(string name, Shape shape, Initialization start)
    {
        TensorEntry entry = Find(checkpoint, name, Sizes(shape));
        Tensor tensor = new(shape);
        Read(checkpoint, name, entry.Shape, tensor.Span);
        Report(entry.ByteCount);
        return tensor;
    }

    public override LinearLayer Linear(string name, int inFeatures, int outFeatures, bool bias, bool transposed, Initialization start)
    {
        FrozenMatrix matrix = Matrix($"{name}.weight", outFeatures, inFeatures, transposed && checkpoint.KeepsConv1D);
        return new FrozenLinear(matrix, bias ? Tensor($"{name}.bias", new Shape(outFeatures), start) : null);
    }

    public override TokenTable Embedding(string name, int rows, int width, Initialization start) =>
        new FrozenTokenTable(Matrix(name, rows, width, transposed: false));

    public override bool Has(string name) => checkpoint.Contains(name);

    public override bool HasRoomFor(int layers) => layers <= checkpoint.Entries.Count;

    /// <summary>How a matrix will be kept: as it is stored, unless the options say otherwise.</summary>
    internal static StoredNumbers NumbersFor(TensorEntry entry, int inFeatures, LoadOptions options)
    {
        StoredNumbers stored = StoredValues.Numbers(entry.StoredType) ?? StoredNumbers.Float32;
        StoredNumbers wanted = options.Weights ?? stored;
        return inFeatures % wanted.BlockLength() == 0 ? wanted : stored;
    }

    private FrozenMatrix Matrix(string name, int outFeatures, int inFeatures, bool transposed)
    {
        TensorEntry entry = transposed ? Find(checkpoint, name, inFeatures, outFeatures) : Find(checkpoint, name, outFeatures, inFeatures);
        if (outFeatures < 32 && inFeatures > LongestThinRow)
        {
            throw new CheckpointException($"{checkpoint.Path}: tensor {CheckpointException.Quote(name)} has the shape {CheckpointException.Describe(entry.Shape)}; no model has so few outputs of so many inputs, and it would take {32 / outFeatures} times its size in memory.");
        }

        StoredNumbers numbers = NumbersFor(entry, inFeatures, options);
        if (transposed && numbers.BlockLength() > 1)
        {
            return Transposed(entry, numbers, outFeatures, inFeatures);
        }

        var builder = new FrozenMatrixBuilder(numbers, outFeatures, inFeatures, transposed);
        bool asStored = StoredValues.Numbers(entry.StoredType) == numbers;
        long rowBytes = entry.StoredType.BytesOf(entry.RowLength);
        for (long row = 0; builder.RowsLeft > 0;)
        {
            int count = (int)Math.Clamp(PieceBytes / rowBytes, 1, builder.RowsLeft);
            ReadOnlySpan<byte> rows = ReadRows(entry, row, count);
            builder.AddRows(asStored ? rows : Converted(entry, rows, numbers));
            row += count;
        }

        return builder.Build();
    }

    /// <summary>Blocks lie along the inputs, so a weight kept as [in, out] is turned before it is quantized.</summary>
    private FrozenMatrix Transposed(TensorEntry entry, StoredNumbers numbers, int outFeatures, int inFeatures)
    {
        float[] dense = new float[outFeatures * inFeatures];
        Read(checkpoint, entry.Name, entry.Shape, dense);
        Report(entry.ByteCount);
        return FrozenMatrix.Quantize(numbers, Transpose(dense, inFeatures, outFeatures), outFeatures, inFeatures);
    }

    private Span<byte> ReadRows(TensorEntry entry, long first, int count)
    {
        options.Cancellation.ThrowIfCancellationRequested();
        Span<byte> rows = Room(ref piece, checked((int)entry.StoredType.BytesOf(count * entry.RowLength)));
        checkpoint.ReadRows(entry.Name, first, rows);
        if (!StoredValues.AllFinite(entry.StoredType, rows))
        {
            throw new CheckpointException($"{checkpoint.Path}: the tensor {entry.Name} holds a number that is infinite or not a number, in row {first} or one of the {count} from there on; the file is damaged.");
        }

        Report(rows.Length);
        return rows;
    }

    private byte[] Converted(TensorEntry entry, ReadOnlySpan<byte> rows, StoredNumbers numbers)
    {
        Span<float> wide = Room(ref values, checked((int)(rows.Length / entry.StoredType.BlockBytes() * entry.StoredType.BlockLength())));
        StoredValues.ToFloat32(entry.StoredType, rows, wide);
        byte[] narrow = new byte[numbers.ByteCount(wide.Length)];
        StoredBlocks.Quantize(numbers, wide, narrow);
        if (numbers == StoredNumbers.Float16 && MemoryMarshal.Cast<byte, Half>(narrow).ContainsAny(Half.PositiveInfinity, Half.NegativeInfinity))
        {
            throw new CheckpointException($"{checkpoint.Path}: the tensor {entry.Name} holds numbers too large for float16; load the weights as BFloat16 or as they are stored.");
        }

        return narrow;
    }

    private static Span<T> Room<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = GC.AllocateUninitializedArray<T>(length);
        }

        return buffer.AsSpan(0, length);
    }

    private void Report(long bytes)
    {
        bytesRead += bytes;
        options.Progress?.Report(bytesRead);
    }
}
