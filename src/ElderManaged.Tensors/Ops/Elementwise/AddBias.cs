using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>y = x + bias, the bias added to every row.</summary>
    /// <param name="x">[…, C].</param>
    /// <param name="bias">[C].</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    public static Tensor AddBias(Tensor x, Tensor bias)
    {
        RequireColumns(x, bias, "bias");
        Tensor y = Tape.NewTensor(x.Shape);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            ColumnsGpu.AddBias(gpu, x, bias, y);
        }
        else
        {
            RowBlocks.Run(x.Rows, x.Columns, (x, bias, y), static (s, block) =>
            {
                for (int row = block.First; row < block.End; row++)
                {
                    TensorPrimitives.Add(s.x.Row(row), s.bias.Span, s.y.Row(row));
                }
            });
        }

        return !Tape.Wants(x, bias)
            ? y
            : GradNode.Record("AddBias", y, (x, bias), static (s, y) =>
            {
                Accumulate(s.x, y.Grad!);
                if (!Tape.Wants(s.bias))
                {
                    return;
                }

                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    Tensor dbias = s.bias.GradSink(out bool fresh);
                    ColumnsGpu.AddSums(gpu, y.Grad!, dbias, fresh);
                }
                else
                {
                    AddColumnSums(y.Grad!, s.bias.GradSink());
                }
            });
    }

    /// <summary>sums += the sum over all rows of <paramref name="x"/>, block by block: equal bits for any number of threads.</summary>
    internal static unsafe void AddColumnSums(Tensor x, Tensor sums)
    {
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            ColumnsGpu.AddSums(gpu, x, sums, fresh: false);
            return;
        }

        int size = RowBlocks.RowsForSums(x.Rows, x.Columns);
        int blocks = RowBlocks.Count(x.Rows, size);
        FloatBuffer partial = RowBlocks.Scratch(blocks * x.Columns);
        RowBlocks.RunOfSize(size, x.Rows, (x, partial), static (s, block) =>
        {
            int n = s.x.Columns;
            float* sum = s.partial.Pointer + ((long)block.Block * n);
            s.x.Row(block.First).CopyTo(new Span<float>(sum, n));
            for (int row = block.First + 1; row < block.End; row++)
            {
                Reductions.AddTo(sum, s.x.Pointer + ((long)row * n), n);
            }
        });
        Reductions.AddBlocks(sums, partial.Pointer, blocks);
        GC.KeepAlive(partial);
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.AddBias"/>.</summary>
internal static class AddBiasPlain
{
    public static double[] Forward(double[] x, double[] bias) => x.Select((v, i) => v + bias[i % bias.Length]).ToArray();

    public static (double[] Dx, double[] Dbias) Backward(double[] dy, int columns)
    {
        double[] dbias = new double[columns];
        for (int i = 0; i < dy.Length; i++)
        {
            dbias[i % columns] += dy[i];
        }

        return (dy.ToArray(), dbias);
    }
}
