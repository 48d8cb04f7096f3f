using ElderManaged.Tensors;

namespace ElderManaged.Testing;

/// <summary>Asks whether an op gives the same bits alone and on two threads, forward and backward.</summary>
public static class ThreadChecks
{
    private static readonly Lock OneAtATime = new();

    /// <summary>Throws unless value and all gradients of <paramref name="op"/> agree bit by bit.</summary>
    public static void SameBits(Func<Tensor[], Tensor> op, params Shape[] shapes)
    {
        RandomSource random = new(77);
        Tensor[] inputs = shapes.Select(shape => OpInput.Gaussian(random, shape)).Select(
            input => new Tensor(input.Shape, input.Values.Select(v => (float)v).ToArray()) { RequiresGrad = true }).ToArray();
        List<float[]> one, two;
        lock (OneAtATime)
        {
            int before = CpuThreads.Count;
            try
            {
                CpuThreads.Count = 1;
                one = Compute(op, inputs);
                CpuThreads.Count = 2;
                two = Compute(op, inputs);
            }
            finally
            {
                CpuThreads.Count = before;
            }
        }

        for (int i = 0; i < one.Count; i++)
        {
            Assert.Contains(one[i], v => v != 0);
            for (int j = 0; j < one[i].Length; j++)
            {
                Assert.True(
                    BitConverter.SingleToInt32Bits(one[i][j]) == BitConverter.SingleToInt32Bits(two[i][j]),
                    $"{(i == 0 ? "value" : $"gradient of input {i - 1}")}, element {j}: {one[i][j]:R} on one thread, {two[i][j]:R} on two.");
            }
        }
    }

    private static List<float[]> Compute(Func<Tensor[], Tensor> op, Tensor[] inputs)
    {
        foreach (Tensor input in inputs)
        {
            input.ZeroGrad();
        }

        using Tape tape = Tape.Start();
        Tensor y = op(inputs);
        float[] seed = new float[y.Length];
        new RandomSource(5).FillGaussian(seed, 1);
        tape.Backward(y, seed);
        return [y.Span.ToArray(), .. inputs.Select(input => input.Grad!.Span.ToArray())];
    }
}
