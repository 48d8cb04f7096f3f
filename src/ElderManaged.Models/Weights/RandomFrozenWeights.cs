using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>
/// Frozen random weights, for measuring; threads may share the work in any way (see <see cref="CounterRandom"/>).
/// </summary>
internal sealed class RandomFrozenWeights(ulong seed, StoredNumbers numbers) : WeightSource
{
    private const int PartLength = 1 << 16;

    private float[] dense = [];
    private ulong tensors;

    public override Tensor Tensor(string name, Shape shape, Initialization start)
    {
        Tensor tensor = new(shape);
        Fill(tensor.Memory, start);
        return tensor;
    }

    public override LinearLayer Linear(string name, int inFeatures, int outFeatures, bool bias, bool transposed, Initialization start)
    {
        int length = checked(inFeatures * outFeatures);
        if (dense.Length < length)
        {
            dense = GC.AllocateUninitializedArray<float>(length);
        }

        Fill(dense.AsMemory(0, length), start);
        return new FrozenLinear(Store(dense.AsSpan(0, length), outFeatures, inFeatures), bias ? new Tensor(new Shape(outFeatures)) : null);
    }

    public override TokenTable Embedding(string name, int rows, int width, Initialization start) =>
        new FrozenTokenTable(((FrozenLinear)Linear(name, width, rows, bias: false, transposed: false, start)).Weight);

    public override bool Has(string name) => true;

    public override bool HasRoomFor(int layers) => true;

    private FrozenMatrix Store(ReadOnlySpan<float> values, int outFeatures, int inFeatures) => numbers == StoredNumbers.Float32
        ? FrozenMatrix.FromDense(values, outFeatures, inFeatures)
        : FrozenMatrix.Quantize(numbers, values, outFeatures, inFeatures);

    private void Fill(Memory<float> values, Initialization start)
    {
        ulong stream = CounterRandom.Stream(seed, ++tensors);
        if (start is not Initialization.Normal normal)
        {
            start.Fill(values.Span, new RandomSource(stream));
            return;
        }

        CpuThreads.Run((values.Length + PartLength - 1) / PartLength, (values, stream, normal.Deviation), static (s, part) =>
        {
            int first = part * PartLength;
            CounterRandom.Fill(s.values.Span.Slice(first, Math.Min(PartLength, s.values.Length - first)), s.stream, first, s.Deviation);
        });
    }
}
