using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The same numbers in another shape of equal length; shares memory with <paramref name="x"/>.</summary>
    public static Tensor Reshape(Tensor x, Shape shape)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (shape.Length != x.Length)
        {
            throw new ArgumentException($"Reshape: {x.Shape} has {x.Length} elements, {shape} has {shape.Length}.");
        }

        return View(x, 0, shape);
    }

    /// <summary>
    /// The rows <paramref name="start"/> … <paramref name="start"/> + <paramref name="count"/> − 1 of a tensor seen as
    /// a matrix; shares memory with <paramref name="x"/>.
    /// </summary>
    public static Tensor SliceRows(Tensor x, int start, int count)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (start < 0 || count < 0 || start > x.Rows - count)
        {
            throw new ArgumentException($"SliceRows: rows {start} to {start + count - 1} are outside of {x.Shape}.");
        }

        return View(x, start * x.Columns, new Shape(count, x.Columns));
    }

    private static Tensor View(Tensor x, int start, Shape shape)
    {
        Tensor view;
        if (Tape.Current is { } tape)
        {
            view = tape.RentView(x, start, shape);
        }
        else
        {
            view = new Tensor(default, (FloatBuffer)null!);
            view.BecomeView(x, start, shape);
        }

        return !Tape.Wants(x)
            ? view
            : GradNode.Record("View", view, (x, start), static (s, y) =>
            {
                if (y.Length == s.x.Length)
                {
                    Accumulate(s.x, y.Grad!);
                    return;
                }

                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    GpuElementwise.AddScaled(gpu, gpu.Read(y.Grad!), 1, gpu.AddingSink(s.x).SubView(s.start, y.Length), fresh: false);
                    return;
                }

                Span<float> dx = s.x.GradSink().Span.Slice(s.start, y.Length);
                TensorPrimitives.Add(dx, y.Grad!.Span, dx);
            });
    }
}
