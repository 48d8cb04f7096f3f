using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>The elementwise kernels: one thread for each element, and the formula that the processor uses.</summary>
internal static partial class GpuElementwise
{
    public const int GroupSize = 256;

    /// <summary>y = f(x).</summary>
    public static void Map<TFormula>(GpuDevice gpu, Tensor x, Tensor y)
        where TFormula : struct, IUnaryGpuFormula
        => UnaryKernels<TFormula>.Value.Launch(gpu, Groups(x.Length), GroupSize, new UnaryArguments { X = gpu.Read(x), Y = gpu.Write(y), Length = x.Length });

    /// <summary>dx (+)= f′(x)·dy.</summary>
    public static void AddSlope<TFormula>(GpuDevice gpu, Tensor x, Tensor dy, Tensor dx, bool fresh)
        where TFormula : struct, IUnaryGpuFormula
        => UnaryKernels<TFormula>.Slope.Launch(gpu, Groups(x.Length), GroupSize, new UnaryArguments
        {
            X = gpu.Read(x),
            Dy = gpu.Read(dy),
            Y = gpu.Sink(dx, fresh),
            Length = x.Length,
            Fresh = fresh ? 1 : 0,
        });

    /// <summary>How many groups of <see cref="GroupSize"/> threads take <paramref name="length"/> elements.</summary>
    public static int Groups(int length) => (int)(((long)length + GroupSize - 1) / GroupSize);

    /// <summary>The kernels of one formula.</summary>
    internal static class UnaryKernels<TFormula>
        where TFormula : struct, IUnaryGpuFormula
    {
        public static readonly GpuKernel<UnaryArguments> Value = new(Map);
        public static readonly GpuKernel<UnaryArguments> Slope = new(MapSlope);

        internal static void Map(UnaryArguments a)
        {
            int i = Grid.GlobalIndex.X;
            if (i < a.Length)
            {
                a.Y[i] = TFormula.Value<GpuLanes, float>(new Num<GpuLanes, float>(a.X[i])).Value;
            }
        }

        internal static void MapSlope(UnaryArguments a)
        {
            int i = Grid.GlobalIndex.X;
            if (i < a.Length)
            {
                float slope = TFormula.Slope<GpuLanes, float>(new Num<GpuLanes, float>(a.X[i])).Value;
                a.Y[i] = a.Fresh != 0 ? slope * a.Dy[i] : (slope * a.Dy[i]) + a.Y[i];
            }
        }
    }
}

/// <summary>Of <see cref="GpuElementwise.UnaryKernels{TFormula}"/>.</summary>
internal struct UnaryArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Dy;
    public ArrayView<float> Y;
    public int Length;
    public int Fresh;
}
