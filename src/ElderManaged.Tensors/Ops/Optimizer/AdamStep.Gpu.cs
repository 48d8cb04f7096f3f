using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <summary>
/// One step of the optimiser Adam on a GPU, by the processor's formula: 15 operations for 28 bytes, bound by memory. The moments
/// lie there too; only the norm of the gradients ever comes back.
/// </summary>
internal static class AdamStepGpu
{
    private static readonly GpuKernel<AdamArguments> Steps = new(StepElement);

    /// <summary>Moves the parameter by its gradient and both moments.</summary>
    public static void Step(GpuDevice gpu, Tensor value, Tensor first, Tensor second, AdamNumbers numbers) =>
        Steps.Launch(gpu, GpuElementwise.Groups(value.Length), GpuElementwise.GroupSize, new AdamArguments
        {
            Value = gpu.Update(value),
            Gradient = gpu.Read(value.Grad!),
            First = gpu.Update(first),
            Second = gpu.Update(second),
            Numbers = numbers,
            Length = value.Length,
        });

    /// <summary>sums[slot] = Σ x².</summary>
    public static void SumOfSquares(GpuDevice gpu, Tensor x, Tensor sums, int slot) =>
        SumGpu.Sum(gpu, gpu.Read(x), 1, gpu.Update(sums).SubView(slot, 1), squares: true);

    internal static void StepElement(AdamArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i >= a.Length)
        {
            return;
        }

        AdamNumbers c = a.Numbers;
        float gradient = a.Gradient[i] * c.Scale;
        float size = IntrinsicMath.Abs(gradient);
        float forFirst = size < c.LeastFirst ? 0 : gradient;
        float forSecond = size < c.LeastSquared ? 0 : gradient;
        float mean = (a.First[i] * c.Beta1) + (forFirst * c.One1);
        float square = (a.Second[i] * c.Beta2) + (forSecond * forSecond * c.One2);
        mean = IntrinsicMath.Abs(mean) < c.LeastFirst ? 0 : mean;
        square = square < c.LeastSecond ? 0 : square;
        a.First[i] = mean;
        a.Second[i] = square;
        a.Value[i] = (a.Value[i] * c.Keep) - (c.Rate * mean / ((XMath.Sqrt(square) * c.Inverse2) + c.Epsilon));
    }
}

/// <summary>The numbers of a step of Adam that all elements share.</summary>
internal struct AdamNumbers
{
    public float Scale;
    public float Beta1;
    public float One1;
    public float Beta2;
    public float One2;
    public float Keep;
    public float Rate;
    public float Inverse2;
    public float Epsilon;
    public float LeastFirst;
    public float LeastSecond;
    public float LeastSquared;
}

/// <summary>Of <see cref="AdamStepGpu"/>.</summary>
internal struct AdamArguments
{
    public ArrayView<float> Value;
    public ArrayView<float> Gradient;
    public ArrayView<float> First;
    public ArrayView<float> Second;
    public AdamNumbers Numbers;
    public int Length;
}
