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
        for (int r = 0; r < y.Rows; r++)
        {
            x.Row(r).Slice(part * c, c).CopyTo(y.Row(r));
        }

        return !Tape.Wants(x)
            ? y
            : GradNode.Record("SplitColumns3", y, (x, part), static (s, y) =>
            {
                Tensor dx = s.x.GradSink();
                for (int r = 0; r < y.Rows; r++)
                {
                    Span<float> target = dx.Row(r).Slice(s.part * y.Columns, y.Columns);
                    TensorPrimitives.Add(target, y.Grad!.Row(r), target);
                }
            });
    }
}
