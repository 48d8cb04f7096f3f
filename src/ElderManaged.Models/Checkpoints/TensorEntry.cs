namespace ElderManaged.Models.Checkpoints;

/// <summary>What a checkpoint says about one tensor. Immutable but for the array: do not write to <see cref="Shape"/>.</summary>
/// <param name="Name">The tensor's name, for example <c>transformer.h.0.mlp.c_fc.weight</c>.</param>
/// <param name="StoredType">The number format in the file.</param>
/// <param name="Shape">The sizes, outermost first; empty for a scalar.</param>
public sealed record TensorEntry(string Name, StoredType StoredType, long[] Shape)
{
    /// <summary>The number of elements: the product of the shape, 1 for a scalar.</summary>
    public long ElementCount { get; } = Product(Shape);

    /// <summary>The elements of one row: the last size, 1 for a scalar.</summary>
    public long RowLength => Shape.Length == 0 ? 1 : Shape[^1];

    /// <summary>The bytes the tensor takes in the file.</summary>
    public long ByteCount => StoredType.BytesOf(ElementCount);

    /// <summary>Where the tensor's bytes start, counted from the start of the file.</summary>
    internal long FileOffset { get; init; }

    private static long Product(long[] shape)
    {
        long product = 1;
        foreach (long size in shape)
        {
            product = checked(product * size);
        }

        return product;
    }
}
