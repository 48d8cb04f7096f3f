using ILGPU;

namespace ElderManaged.Tensors;

/// <summary><see cref="Op.Linear(Tensor, Tensor, Tensor?)"/> on a GPU; the products are <see cref="GemmGpu"/>'s.</summary>
internal static class LinearGpu
{
    private const int Columns = 32;
    private const int Slices = 8;

    private static readonly GpuKernel<RowSumArguments> RowSumKernel = new(RowSum);

    /// <summary>y = x·Wᵀ + b; the bias is added to the finished sums.</summary>
    public static void Forward(GpuDevice gpu, Tensor x, Tensor weight, Tensor? bias, Tensor y)
    {
        GemmArguments a = new(x.Rows, weight.Rows, weight.Columns, gpu.Read(x), false, gpu.Read(weight), true, gpu.Write(y), false);
        if (bias is not null)
        {
            (a.Bias, a.HasBias) = (gpu.Read(bias), 1);
        }

        GemmGpu.Multiply(gpu, a);
    }

    /// <summary>dx = dy·W, dW = dyᵀ·x, db = Σ_rows dy.</summary>
    public static void Backward(GpuDevice gpu, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        (int rows, int output, int input) = (x.Rows, weight.Rows, weight.Columns);
        if (Tape.Wants(x))
        {
            Tensor dx = x.GradSink(out bool fresh);
            GemmGpu.Multiply(gpu, new GemmArguments(rows, input, output, gpu.Read(dy), false, gpu.Read(weight), false, gpu.Sink(dx, fresh), !fresh));
        }

        if (Tape.Wants(weight))
        {
            Tensor dw = weight.GradSink(out bool fresh);
            GemmGpu.Multiply(gpu, new GemmArguments(output, input, rows, gpu.Read(dy), true, gpu.Read(x), false, gpu.Sink(dw, fresh), !fresh));
        }

        AccumulateRowSum(gpu, bias, dy);
    }

    /// <summary>d(vector) += Σ_rows dy: eight slices of the rows side by side, then the slices, always in the same order.</summary>
    public static void AccumulateRowSum(GpuDevice gpu, Tensor? vector, Tensor dy)
    {
        if (vector is not null && Tape.Wants(vector))
        {
            int width = vector.Length;
            Tensor sum = vector.GradSink(out bool fresh);
            RowSumKernel.Launch(gpu, (width + Columns - 1) / Columns, Columns * Slices, new RowSumArguments
            {
                Dy = gpu.Read(dy),
                Sum = gpu.Sink(sum, fresh),
                Rows = dy.Length / width,
                Width = width,
                Fresh = fresh ? 1 : 0,
            });
        }
    }

    internal static void RowSum(RowSumArguments a)
    {
        ArrayView<float> slices = SharedMemory.Allocate1D<float>(Columns * Slices);
        int column = (Grid.IdxX * Columns) + (Group.IdxX % Columns);
        int slice = Group.IdxX / Columns;
        float sum = 0;
        if (column < a.Width)
        {
            for (int row = slice; row < a.Rows; row += Slices)
            {
                sum += a.Dy[(row * a.Width) + column];
            }
        }

        slices[Group.IdxX] = sum;
        Group.Barrier();
        if (slice == 0 && column < a.Width)
        {
            for (int other = 1; other < Slices; other++)
            {
                sum += slices[(other * Columns) + Group.IdxX];
            }

            a.Sum[column] = a.Fresh != 0 ? sum : a.Sum[column] + sum;
        }
    }
}

/// <summary>Of <see cref="LinearGpu.RowSum"/>.</summary>
internal struct RowSumArguments
{
    public ArrayView<float> Dy;
    public ArrayView<float> Sum;
    public int Rows;
    public int Width;
    public int Fresh;
}
