using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>The kernels of two inputs, and the sums that gradients end in.</summary>
/// <remarks>All are bound by memory: 1 to 2 operations for 12 bytes, about 20 for the gates.</remarks>
internal static partial class GpuElementwise
{
    private static readonly GpuKernel<ScaledArguments> Scaled = new(AddScaled);
    private static readonly GpuKernel<BinaryArguments> Product = new(AddProduct);

    /// <summary>y = f(a, b).</summary>
    public static void Map<TFormula>(GpuDevice gpu, Tensor a, Tensor b, Tensor y)
        where TFormula : struct, IBinaryFormula
        => BinaryKernels<TFormula>.Value.Launch(gpu, Groups(a.Length), GroupSize, new BinaryArguments { A = gpu.Read(a), B = gpu.Read(b), Y = gpu.Write(y), Length = a.Length });

    /// <summary>da (+)= ∂f/∂a·dy and db (+)= ∂f/∂b·dy, each where given.</summary>
    public static void AddSlopes<TFormula>(GpuDevice gpu, Tensor a, Tensor b, Tensor dy, Tensor? da, bool freshA, Tensor? db, bool freshB)
        where TFormula : struct, IBinaryFormula
    {
        SlopesArguments arguments = new()
        {
            A = gpu.Read(a),
            B = gpu.Read(b),
            Dy = gpu.Read(dy),
            Length = a.Length,
            WantsA = da is null ? 0 : 1,
            WantsB = db is null ? 0 : 1,
            FreshA = freshA ? 1 : 0,
            FreshB = freshB ? 1 : 0,
        };
        arguments.Da = da is null ? arguments.Dy : gpu.Sink(da, freshA);
        arguments.Db = db is null ? arguments.Dy : gpu.Sink(db, freshB);
        BinaryKernels<TFormula>.Slopes.Launch(gpu, Groups(a.Length), GroupSize, arguments);
    }

    /// <summary>y (+)= factor·x.</summary>
    public static void AddScaled(GpuDevice gpu, Tensor x, float factor, Tensor y, bool fresh) => AddScaled(gpu, gpu.Read(x), factor, gpu.Sink(y, fresh), fresh);

    /// <summary>y (+)= factor·x.</summary>
    public static void AddScaled(GpuDevice gpu, ArrayView<float> x, float factor, ArrayView<float> y, bool fresh) =>
        Scaled.Launch(gpu, Groups(x.IntLength), GroupSize, new ScaledArguments { X = x, Y = y, Factor = factor, Length = x.IntLength, Fresh = fresh ? 1 : 0 });

    /// <summary>y (+)= a·b.</summary>
    public static void AddProduct(GpuDevice gpu, Tensor a, Tensor b, Tensor y, bool fresh) =>
        Product.Launch(gpu, Groups(a.Length), GroupSize, new BinaryArguments { A = gpu.Read(a), B = gpu.Read(b), Y = gpu.Sink(y, fresh), Length = a.Length, Fresh = fresh ? 1 : 0 });

    internal static void AddScaled(ScaledArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            a.Y[i] = a.Fresh != 0 ? a.X[i] * a.Factor : GpuMath.Fma(a.X[i], a.Factor, a.Y[i]);
        }
    }

    internal static void AddProduct(BinaryArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Length)
        {
            a.Y[i] = a.Fresh != 0 ? a.A[i] * a.B[i] : GpuMath.Fma(a.A[i], a.B[i], a.Y[i]);
        }
    }

    /// <summary>The kernels of one formula.</summary>
    internal static class BinaryKernels<TFormula>
        where TFormula : struct, IBinaryFormula
    {
        public static readonly GpuKernel<BinaryArguments> Value = new(Map);
        public static readonly GpuKernel<SlopesArguments> Slopes = new(MapSlopes);

        internal static void Map(BinaryArguments a)
        {
            int i = Grid.GlobalIndex.X;
            if (i < a.Length)
            {
                a.Y[i] = TFormula.Value<GpuLanes, float>(new Num<GpuLanes, float>(a.A[i]), new Num<GpuLanes, float>(a.B[i])).Value;
            }
        }

        internal static void MapSlopes(SlopesArguments a)
        {
            int i = Grid.GlobalIndex.X;
            if (i >= a.Length)
            {
                return;
            }

            TFormula.Slopes(new Num<GpuLanes, float>(a.A[i]), new Num<GpuLanes, float>(a.B[i]), out Num<GpuLanes, float> slopeA, out Num<GpuLanes, float> slopeB);
            float dy = a.Dy[i];
            if (a.WantsA != 0)
            {
                a.Da[i] = a.FreshA != 0 ? slopeA.Value * dy : GpuMath.Fma(slopeA.Value, dy, a.Da[i]);
            }

            if (a.WantsB != 0)
            {
                a.Db[i] = a.FreshB != 0 ? slopeB.Value * dy : GpuMath.Fma(slopeB.Value, dy, a.Db[i]);
            }
        }
    }
}

/// <summary>Of <see cref="GpuElementwise.BinaryKernels{TFormula}"/>.</summary>
internal struct BinaryArguments
{
    public ArrayView<float> A;
    public ArrayView<float> B;
    public ArrayView<float> Y;
    public int Length;
    public int Fresh;
}

/// <inheritdoc cref="BinaryArguments"/>
internal struct SlopesArguments
{
    public ArrayView<float> A;
    public ArrayView<float> B;
    public ArrayView<float> Dy;
    public ArrayView<float> Da;
    public ArrayView<float> Db;
    public int Length;
    public int WantsA;
    public int WantsB;
    public int FreshA;
    public int FreshB;
}

/// <summary>Of <see cref="GpuElementwise"/>.</summary>
internal struct ScaledArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Y;
    public float Factor;
    public int Length;
    public int Fresh;
}
