namespace ElderManaged.Tensors.Tests;

/// <summary>Compares the bits of the same work on one thread and on several.</summary>
internal static class Threads
{
    public static void GiveTheSameBits(Func<float[][]> work)
    {
        int before = CpuThreads.Count;
        try
        {
            CpuThreads.Count = 1;
            float[][] one = work();
            CpuThreads.Count = 2;
            float[][] two = work();
            CpuThreads.Count = 5;
            float[][] five = work();
            Assert.Equal(one, two);
            Assert.Equal(one, five);
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    /// <summary>The value of an op and the gradients of its inputs, which are zeroed first.</summary>
    public static float[][] ValueAndGradients(Func<Tensor> op, params Tensor[] inputs)
    {
        foreach (Tensor input in inputs)
        {
            input.RequiresGrad = true;
            input.ZeroGrad();
        }

        using Tape tape = Tape.Start();
        Tensor y = op();
        float[] dy = new float[y.Length];
        new RandomSource(99).FillGaussian(dy, 1);
        tape.Backward(y, dy);
        return [y.Span.ToArray(), .. inputs.Select(input => input.Grad!.Span.ToArray())];
    }
}
