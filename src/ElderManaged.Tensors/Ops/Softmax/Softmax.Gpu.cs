using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <summary>
/// Softmax on a GPU: a group of threads for each row, every thread a fixed share of its columns, sums folded in one order through
/// shared memory. Bound by memory: x is read three times, from cache after the first.
/// </summary>
internal static class SoftmaxGpu
{
    private const int MaxGroup = 256;

    public static readonly GpuKernel<SoftmaxArguments> Value = new(Rows);
    public static readonly GpuKernel<SoftmaxArguments> Slope = new(Slopes);

    public static void Forward(GpuDevice gpu, Tensor x, Tensor y) => Value.Launch(gpu, x.Rows, GroupOf(x.Columns), new SoftmaxArguments
    {
        X = gpu.Read(x),
        Dy = gpu.Read(x),
        Y = gpu.Write(y),
        Columns = x.Columns,
    });

    /// <summary>dx (+)= y · (dy − Σ dy·y).</summary>
    public static void Backward(GpuDevice gpu, Tensor y, Tensor dy, Tensor dx, bool fresh) => Slope.Launch(gpu, y.Rows, GroupOf(y.Columns), new SoftmaxArguments
    {
        X = gpu.Read(y),
        Dy = gpu.Read(dy),
        Y = gpu.Sink(dx, fresh),
        Columns = y.Columns,
        Add = fresh ? 0 : 1,
    });

    // A power of two, so that halves fold.
    private static int GroupOf(int columns) => columns > 512 ? MaxGroup : columns > 128 ? 128 : 32;

    private static bool IsNaN(float x) => (Interop.FloatAsInt(x) & 0x7fffffffu) > 0x7f800000u;

    internal static void Rows(SoftmaxArguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(MaxGroup);
        int me = Group.IdxX;
        int threads = Group.DimX;
        long at = (long)Grid.IdxX * a.Columns;
        float largest = float.NegativeInfinity;
        for (int i = me; i < a.Columns; i += threads)
        {
            float x = a.X[at + i];
            largest = IsNaN(largest) || x <= largest ? largest : x; // what is not a number wins, and stays
        }

        shared[me] = largest;
        Group.Barrier();
        for (int half = threads / 2; half > 0; half /= 2)
        {
            if (me < half)
            {
                float other = shared[me + half];
                float mine = shared[me];
                shared[me] = IsNaN(mine) || other <= mine ? mine : other;
            }

            Group.Barrier();
        }

        largest = shared[0];
        Group.Barrier();
        float sum = 0;
        for (int i = me; i < a.Columns; i += threads)
        {
            float e = XMath.Exp(a.X[at + i] - largest);
            a.Y[at + i] = e;
            sum += e;
        }

        shared[me] = sum;
        Group.Barrier();
        for (int half = threads / 2; half > 0; half /= 2)
        {
            if (me < half)
            {
                shared[me] += shared[me + half];
            }

            Group.Barrier();
        }

        sum = shared[0];
        float factor = 1 / sum;
        float smallest = 1.17549435e-38f * sum; // below it the quotient would be subnormal: 0 instead, as on the processor
        for (int i = me; i < a.Columns; i += threads)
        {
            float e = a.Y[at + i];
            a.Y[at + i] = (e < smallest ? 0 : e) * factor;
        }
    }

    internal static void Slopes(SoftmaxArguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(MaxGroup);
        int me = Group.IdxX;
        int threads = Group.DimX;
        long at = (long)Grid.IdxX * a.Columns;
        float sum = 0;
        for (int i = me; i < a.Columns; i += threads)
        {
            sum = GpuMath.Fma(a.X[at + i], a.Dy[at + i], sum);
        }

        shared[me] = sum;
        Group.Barrier();
        for (int half = threads / 2; half > 0; half /= 2)
        {
            if (me < half)
            {
                shared[me] += shared[me + half];
            }

            Group.Barrier();
        }

        sum = shared[0];
        for (int i = me; i < a.Columns; i += threads)
        {
            float slope = a.X[at + i] * (a.Dy[at + i] - sum);
            a.Y[at + i] = a.Add != 0 ? a.Y[at + i] + slope : slope;
        }
    }
}

/// <summary>Of <see cref="SoftmaxGpu"/>; backward has y in the place of x and dx in the place of y.</summary>
internal struct SoftmaxArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Dy;
    public ArrayView<float> Y;
    public int Columns;
    public int Add;
}
