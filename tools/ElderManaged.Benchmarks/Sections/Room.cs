using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>
/// Memory for one tensor after another. Memory that is new costs seconds a gigabyte the first time it is touched, on virtual
/// machines above all, and the tables have ten minutes.
/// </summary>
internal sealed class Room
{
    private Tensor memory = new(new Shape(0, 1));

    /// <summary>A tensor with what was there before; the one given out before must no longer be used.</summary>
    public Tensor Of(Shape shape)
    {
        if (memory.Length < shape.Length)
        {
            memory = new Tensor(new Shape(shape.Length, 1));
        }

        return Op.Reshape(Op.SliceRows(memory, 0, shape.Length), shape);
    }
}
