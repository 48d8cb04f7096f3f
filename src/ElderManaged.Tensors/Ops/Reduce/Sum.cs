using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The sum of all elements, as one number.</summary>
    /// <remarks>
    /// Taken in runs of fixed size that are then added in double precision: the error does not grow with the length, and the
    /// bits do not depend on the number of threads.
    /// </remarks>
    public static Tensor Sum(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(new Shape(1));
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            SumGpu.Sum(gpu, gpu.Read(x), 1, gpu.Write(y));
        }
        else
        {
            y.Span[0] = (float)SumOfBlocks(x);
        }

        return !Tape.Wants(x) ? y : GradNode.Record("Sum", y, x, static (x, y) => AccumulateNumber(x, y.Grad!, 1));
    }

    /// <summary>The mean of all elements, as one number.</summary>
    /// <remarks>Summed as by <see cref="Sum"/>.</remarks>
    /// <exception cref="ArgumentException">There are no elements.</exception>
    public static Tensor Mean(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Length == 0)
        {
            throw new ArgumentException($"Mean: {x.Shape} has no elements to average.");
        }

        Tensor y = Tape.NewTensor(new Shape(1));
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            SumGpu.Sum(gpu, gpu.Read(x), 1f / x.Length, gpu.Write(y));
        }
        else
        {
            y.Span[0] = (float)(SumOfBlocks(x) / x.Length);
        }

        return !Tape.Wants(x) ? y : GradNode.Record("Mean", y, x, static (x, y) => AccumulateNumber(x, y.Grad!, x.Length));
    }

    /// <summary>So many elements are added in float32, sixteen to each of 64 running sums, before double precision takes over.</summary>
    private const int FloatRun = 1024;

    private static unsafe double SumOfBlocks(Tensor x)
    {
        int blocks = RowBlocks.Count(x.Length, RowBlocks.BlockRows(1));
        FloatBuffer partial = RowBlocks.Scratch(blocks);
        RowBlocks.Run(x.Length, 1, (x, partial), static (s, block) =>
        {
            double sum = 0;
            for (int first = block.First; first < block.End; first += FloatRun)
            {
                sum += Reductions.Sum(s.x.Pointer + first, Math.Min(FloatRun, block.End - first));
            }

            s.partial.Pointer[block.Block] = (float)sum;
        });
        double sum = 0;
        foreach (float value in partial.Span(0, blocks))
        {
            sum += value;
        }

        return sum;
    }

    /// <summary>dx += dy / divisor everywhere.</summary>
    private static void AccumulateNumber(Tensor x, Tensor dy, int divisor)
    {
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            Tensor dx = x.GradSink(out bool fresh);
            SumGpu.AddNumber(gpu, dy, 1f / divisor, dx, fresh);
            return;
        }

        RowBlocks.Run(x.Length, 1, (dx: x.GradSink(), number: dy.ReadOnlySpan[0] / divisor), static (s, block) =>
            TensorPrimitives.Add(block.Of(s.dx), s.number, block.Of(s.dx)));
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Sum"/> and <see cref="Op.Mean"/>.</summary>
internal static class SumPlain
{
    public static double[] Forward(double[] x) => [x.Sum()];

    public static double[] Backward(double[] x, double[] dy) => x.Select(_ => dy[0]).ToArray();

    public static double[] MeanForward(double[] x) => [x.Average()];

    public static double[] MeanBackward(double[] x, double[] dy) => x.Select(_ => dy[0] / x.Length).ToArray();
}
