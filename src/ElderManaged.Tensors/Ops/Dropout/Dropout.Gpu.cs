using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>
/// <see cref="Op.Dropout"/> on a GPU: the mask comes from the host, a bit an element, so that a seed means the same
/// everywhere. One multiplication for 8 bytes.
/// </summary>
internal static class DropoutGpu
{
    private static readonly GpuKernel<DropoutArguments> Kept = new(AddKept);

    /// <summary>y (+)= x·scale where the mask has a one, 0 elsewhere.</summary>
    public static void AddKept(GpuDevice gpu, Tensor x, Tensor mask, float scale, Tensor y, bool fresh) =>
        Kept.Launch(gpu, GpuElementwise.Groups(x.Length), GpuElementwise.GroupSize, new DropoutArguments
        {
            X = gpu.Read(x),
            Mask = gpu.Read(mask),
            Y = gpu.Sink(y, fresh),
            Scale = scale,
            Length = x.Length,
            Fresh = fresh ? 1 : 0,
        });

    internal static void AddKept(DropoutArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            uint bits = Interop.FloatAsInt(a.Mask[i >> 5]);
            float value = (bits >> (i & 31) & 1) != 0 ? a.X[i] * a.Scale : 0;
            a.Y[i] = a.Fresh != 0 ? value : a.Y[i] + value;
        }
    }
}

/// <summary>Of <see cref="DropoutGpu"/>.</summary>
internal struct DropoutArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Mask;
    public ArrayView<float> Y;
    public float Scale;
    public int Length;
    public int Fresh;
}
