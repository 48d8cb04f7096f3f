using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// Cuts every row into three equal parts: [R, 3C] → three tensors [R, C], such as queries, keys and values.
    /// </summary>
    public static (Tensor First, Tensor Second, Tensor Third) SplitColumns3(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Columns % 3 != 0)
        {
            throw new ArgumentException($"SplitColumns3: the width {x.Columns} of {x.Shape} is not a multiple of 3.");
        }

        return (Part(x, 0), Part(x, 1), Part(x, 2));
    }

    private static Tensor Part(Tensor x, int part)
    {
        int c = x.Columns / 3;
        Tensor y = Tape.NewTensor(new Shape(x.Rows, c));
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            RowMovesGpu.Take(gpu, x, part * c, y);
        }
        else
        {
            RowBlocks.Run(y.Rows, c, (x, y, start: part * c), static (s, block) =>
            {
                for (int row = block.First; row < block.End; row++)
                {
                    s.x.Row(row).Slice(s.start, s.y.Columns).CopyTo(s.y.Row(row));
                }
            });
        }

        return !Tape.Wants(x)
            ? y
            : GradNode.Record("SplitColumns3", y, (x, start: part * c), static (s, y) =>
            {
                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    RowMovesGpu.Give(gpu, y.Grad!, s.start, s.x);
                    return;
                }

                // The part whose gradient comes first sets the whole rows: zeros beside its own columns.
                Tensor dx = s.x.GradSink(out bool fresh);
                RowBlocks.Run(y.Rows, fresh ? dx.Columns : y.Columns, (dx, dy: y.Grad!, s.start, fresh), static (s, block) =>
                {
                    for (int row = block.First; row < block.End; row++)
                    {
                        Span<float> all = s.dx.Row(row);
                        Span<float> target = all.Slice(s.start, s.dy.Columns);
                        if (s.fresh)
                        {
                            all[..s.start].Clear();
                            s.dy.Row(row).CopyTo(target);
                            all[(s.start + target.Length)..].Clear();
                        }
                        else
                        {
                            TensorPrimitives.Add(target, s.dy.Row(row), target);
                        }
                    }
                });
            });
    }
}
