using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>
/// Frozen random weights, for measuring. Number i of tensor t is a hash of (seed, t, i), so threads may share the work in
/// any way; it is uniform, with the deviation that training would start from.
/// </summary>
internal sealed class RandomFrozenWeights(ulong seed, StoredNumbers numbers) : WeightSource
{
    private const int PartLength = 1 << 16;
    private const ulong Golden = 0x9E3779B97F4A7C15UL;

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

    public override TokenTable Embedding(string name, int vocabulary, int width, Initialization start) =>
        new FrozenTokenTable(((FrozenLinear)Linear(name, width, vocabulary, bias: false, transposed: false, start)).Weight);

    public override bool Has(string name) => true;

    public override bool HasRoomFor(int layers) => true;

    private FrozenMatrix Store(ReadOnlySpan<float> values, int outFeatures, int inFeatures) => numbers == StoredNumbers.Float32
        ? FrozenMatrix.FromDense(values, outFeatures, inFeatures)
        : FrozenMatrix.Quantize(numbers, values, outFeatures, inFeatures);

    private void Fill(Memory<float> values, Initialization start)
    {
        ulong stream = Mix(seed + (Golden * ++tensors));
        if (start is not Initialization.Normal normal)
        {
            start.Fill(values.Span, new RandomSource(stream));
            return;
        }

        float bound = normal.Deviation * MathF.Sqrt(3); // uniform in ± this has that deviation
        CpuThreads.Run((values.Length + PartLength - 1) / PartLength, (values, stream, bound), static (s, part) =>
        {
            int first = part * PartLength;
            Span<float> mine = s.values.Span.Slice(first, Math.Min(PartLength, s.values.Length - first));
            float step = 2 * s.bound / (1 << 24);
            for (int i = 0; i < mine.Length; i++)
            {
                mine[i] = ((Mix(s.stream + (Golden * (ulong)(first + i))) >> 40) * step) - s.bound;
            }
        });
    }

    // The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
