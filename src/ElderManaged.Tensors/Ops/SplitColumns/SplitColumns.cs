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

        Shape shape = new(x.Rows, x.Columns / 3);
        (Tensor First, Tensor Second, Tensor Third) parts = (Tape.NewTensor(shape), Tape.NewTensor(shape), Tape.NewTensor(shape));
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            RowMovesGpu.Take(gpu, x, 0, parts.First);
            RowMovesGpu.Take(gpu, x, shape[1], parts.Second);
            RowMovesGpu.Take(gpu, x, 2 * shape[1], parts.Third);
        }
        else
        {
            RowBlocks.Run(x.Rows, x.Columns, (x, parts), static (s, block) =>
            {
                int c = s.parts.First.Columns;
                for (int row = block.First; row < block.End; row++)
                {
                    Span<float> all = s.x.Row(row);
                    all[..c].CopyTo(s.parts.First.Row(row));
                    all[c..(2 * c)].CopyTo(s.parts.Second.Row(row));
                    all[(2 * c)..].CopyTo(s.parts.Third.Row(row));
                }
            });
        }

        if (Tape.Wants(x))
        {
            GradNode.Record("SplitColumns3", parts.First, (x, parts), static (s, _) => AddParts(s.x, s.parts));
            GradNode.Record("SplitColumns3", parts.Second, (x, parts), static (s, _) => AddParts(s.x, s.parts));
            GradNode.Record("SplitColumns3", parts.Third, (x, parts), static (s, _) => AddParts(s.x, s.parts));
        }

        return parts;
    }

    // No other op was recorded between the three, so when gradients flow through the first of them to be asked, those of all are complete:
    // whole rows are written in one pass, and the other two have nothing left to do.
    private static void AddParts(Tensor x, (Tensor First, Tensor Second, Tensor Third) parts)
    {
        (Tensor? first, Tensor? second, Tensor? third) = (parts.First.Grad, parts.Second.Grad, parts.Third.Grad);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            GiveOnGpu(gpu, x, first, 0);
            GiveOnGpu(gpu, x, second, 1);
            GiveOnGpu(gpu, x, third, 2);
        }
        else
        {
            Tensor dx = x.GradSink(out bool fresh);
            RowBlocks.Run(dx.Rows, dx.Columns, (dx, first, second, third, fresh), static (s, block) =>
            {
                int c = s.dx.Columns / 3;
                for (int row = block.First; row < block.End; row++)
                {
                    Span<float> all = s.dx.Row(row);
                    AddPart(all[..c], s.first, row, s.fresh);
                    AddPart(all[c..(2 * c)], s.second, row, s.fresh);
                    AddPart(all[(2 * c)..], s.third, row, s.fresh);
                }
            });
        }

        Tape tape = parts.First.Owner!;
        tape.LetGo(parts.First);
        tape.LetGo(parts.Second);
        tape.LetGo(parts.Third);
    }

    private static void AddPart(Span<float> target, Tensor? gradient, int row, bool fresh)
    {
        if (fresh && gradient is null)
        {
            target.Clear();
        }
        else if (fresh)
        {
            gradient!.Row(row).CopyTo(target);
        }
        else if (gradient is not null)
        {
            TensorPrimitives.Add(target, gradient.Row(row), target);
        }
    }

    private static void GiveOnGpu(GpuDevice gpu, Tensor x, Tensor? gradient, int part)
    {
        if (gradient is not null)
        {
            RowMovesGpu.Give(gpu, gradient, part * gradient.Columns, x);
        }
    }
}
