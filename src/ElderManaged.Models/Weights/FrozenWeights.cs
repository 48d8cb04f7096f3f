using System.Buffers;
using System.Runtime.InteropServices;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>
/// Frozen weights from a checkpoint. Matrices stay in the format they are stored in, unless another is asked for, and are
/// packed piece by piece while they are read, by all threads: no more memory than the packed model and a piece for each.
/// </summary>
internal sealed class FrozenWeights(Checkpoint checkpoint, LoadOptions options) : WeightSource
{
    private const int LongestThinRow = 1 << 18; // kernels keep outputs 32 side by side, whatever their number
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

    // On its way to the device while the next one is read.
    private FrozenMatrix Matrix(string name, int outFeatures, int inFeatures, bool transposed)
    {
        FrozenMatrix matrix = ReadMatrix(name, outFeatures, inFeatures, transposed);
        matrix.BeginMove(options.Device);
        return matrix;
    }

    private FrozenMatrix ReadMatrix(string name, int outFeatures, int inFeatures, bool transposed)
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
        builder.ReadRows((first, rows) =>
        {
            if (asStored)
            {
                ReadRows(entry, first, rows);
            }
            else
            {
                ReadConverted(entry, first, numbers, rows);
            }
        }, checkpoint.Waits);
        Report(entry.ByteCount);
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

    private void ReadRows(TensorEntry entry, long first, Span<byte> rows)
    {
        options.Cancellation.ThrowIfCancellationRequested();
        checkpoint.ReadRows(entry.Name, first, rows);
        if (!StoredValues.AllFinite(entry.StoredType, rows))
        {
            long count = rows.Length / entry.StoredType.BytesOf(entry.RowLength);
            throw new CheckpointException($"{checkpoint.Path}: the tensor {entry.Name} holds a number that is infinite or not a number, in row {first} or one of the {count} from there on; the file is damaged.");
        }
    }

    private void ReadConverted(TensorEntry entry, long first, StoredNumbers numbers, Span<byte> narrow)
    {
        int count = (int)(narrow.Length / numbers.ByteCount(entry.RowLength));
        int bytes = checked((int)(count * entry.StoredType.BytesOf(entry.RowLength))), length = checked(count * (int)entry.RowLength);
        byte[] stored = ArrayPool<byte>.Shared.Rent(bytes);
        float[] wide = ArrayPool<float>.Shared.Rent(length);
        ReadRows(entry, first, stored.AsSpan(0, bytes));
        StoredValues.ToFloat32(entry.StoredType, stored.AsSpan(0, bytes), wide.AsSpan(0, length));
        StoredBlocks.Quantize(numbers, wide.AsSpan(0, length), narrow);
        ArrayPool<byte>.Shared.Return(stored);
        ArrayPool<float>.Shared.Return(wide);
        if (numbers == StoredNumbers.Float16 && MemoryMarshal.Cast<byte, Half>(narrow).ContainsAny(Half.PositiveInfinity, Half.NegativeInfinity))
        {
            throw new CheckpointException($"{checkpoint.Path}: the tensor {entry.Name} holds numbers too large for float16; load the weights as BFloat16 or as they are stored.");
        }
    }

    private void Report(long bytes)
    {
        bytesRead += bytes;
        options.Progress?.Report(bytesRead);
    }
}
