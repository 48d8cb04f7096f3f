using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>Sums of many numbers on a GPU: groups sum up runs of 8192, one group sums up what they found. An addition for 4 bytes.</summary>
internal static class SumGpu
{
    private const int Run = 8192;
    private const int GroupSize = GpuReduce.GroupSize;

    private static readonly GpuKernel<SumArguments> Runs = new(SumRun);
    private static readonly GpuKernel<SumArguments> Number = new(AddNumberToElement);

    /// <summary>y[0] = factor·Σ x, or factor·Σ x² where <paramref name="squares"/>.</summary>
    public static void Sum(GpuDevice gpu, ArrayView<float> x, float factor, ArrayView<float> y, bool squares = false)
    {
        int runs = (int)((x.Length + Run - 1) / Run);
        if (runs > 1)
        {
            ArrayView<float> partial = gpu.Write(Tape.NewTensor(new Shape(runs)));
            Runs.Launch(gpu, runs, GroupSize, new SumArguments { X = x, Y = partial, Length = x.IntLength, Run = Run, Factor = 1, Squares = squares ? 1 : 0 });
            (x, squares) = (partial.SubView(0, runs), false);
        }

        Runs.Launch(gpu, 1, GroupSize, new SumArguments { X = x, Y = y, Length = x.IntLength, Run = x.IntLength, Factor = factor, Squares = squares ? 1 : 0 });
    }

    /// <summary>dx (+)= factor·dy[0] everywhere.</summary>
    public static void AddNumber(GpuDevice gpu, Tensor dy, float factor, Tensor dx, bool fresh) =>
        Number.Launch(gpu, GpuElementwise.Groups(dx.Length), GroupSize, new SumArguments
        {
            X = gpu.Read(dy),
            Y = gpu.Sink(dx, fresh),
            Length = dx.Length,
            Factor = factor,
            Fresh = fresh ? 1 : 0,
        });

    internal static void SumRun(SumArguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupSize);
        int first = Grid.IdxX * a.Run;
        int end = IntrinsicMath.Min(a.Length, first + a.Run);
        float sum = 0;
        for (int i = first + Group.IdxX; i < end; i += GroupSize)
        {
            float value = a.X[i];
            sum = a.Squares != 0 ? GpuMath.Fma(value, value, sum) : sum + value;
        }

        sum = GpuReduce.Sum(sum, shared);
        if (Group.IdxX == 0)
        {
            a.Y[Grid.IdxX] = sum * a.Factor;
        }
    }

    internal static void AddNumberToElement(SumArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            float number = a.X[0] * a.Factor;
            a.Y[i] = a.Fresh != 0 ? number : a.Y[i] + number;
        }
    }
}

/// <summary>Of <see cref="SumGpu"/>.</summary>
internal struct SumArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Y;
    public int Length;
    public int Run;
    public float Factor;
    public int Squares;
    public int Fresh;
}
