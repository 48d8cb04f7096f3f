using System.Diagnostics.CodeAnalysis;

namespace ElderManaged.Tensors;

/// <summary>
/// The sizes of a dense row-major tensor of one to four dimensions; the last dimension is contiguous.
/// </summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly int d0, d1, d2, d3;

    /// <summary>A vector of <paramref name="length"/> numbers.</summary>
    public Shape(int length) : this(1, length, 1, 1, 1)
    {
    }

    /// <summary>A matrix of <paramref name="rows"/> × <paramref name="columns"/>.</summary>
    public Shape(int rows, int columns) : this(2, rows, columns, 1, 1)
    {
    }

    /// <summary>Three dimensions, outermost first.</summary>
    public Shape(int a, int b, int c) : this(3, a, b, c, 1)
    {
    }

    /// <summary>Four dimensions, outermost first.</summary>
    public Shape(int a, int b, int c, int d) : this(4, a, b, c, d)
    {
    }

    private Shape(int rank, int a, int b, int c, int d)
    {
        if (a < 0 || b < 0 || c < 0 || d < 0)
        {
            throw new ArgumentException($"Shape: sizes must not be negative, got {a}, {b}, {c}, {d}.");
        }

        long length = checked((long)a * b);
        length = checked(length * c);
        length = checked(length * d);
        if (length > int.MaxValue)
        {
            throw new ArgumentException($"Shape: {length} elements are more than one tensor can hold ({int.MaxValue}).");
        }

        (Rank, d0, d1, d2, d3) = (rank, a, b, c, d);
    }

    /// <summary>The number of dimensions, 1 to 4.</summary>
    public int Rank { get; }

    /// <summary>The size of dimension <paramref name="axis"/>; negative axes count from the last.</summary>
    public int this[int axis] => (axis < 0 ? axis + Rank : axis) switch
    {
        0 when Rank > 0 => d0,
        1 when Rank > 1 => d1,
        2 when Rank > 2 => d2,
        3 when Rank > 3 => d3,
        _ => throw new ArgumentOutOfRangeException(nameof(axis), axis, $"The shape {this} has {Rank} dimensions."),
    };

    /// <summary>The number of elements.</summary>
    public int Length => Rank == 0 ? 0 : d0 * d1 * d2 * d3;

    /// <summary>The size of the last, contiguous dimension.</summary>
    public int Columns => Rank == 0 ? 0 : this[Rank - 1];

    /// <summary>How many contiguous rows there are: the product of all dimensions but the last.</summary>
    public int Rows => Columns == 0 ? 0 : Length / Columns;

    /// <inheritdoc/>
    public bool Equals(Shape other) =>
        Rank == other.Rank && d0 == other.d0 && d1 == other.d1 && d2 == other.d2 && d3 == other.d3;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, d0, d1, d2, d3);

    /// <summary>Whether both shapes have the same sizes.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Whether the shapes differ.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    /// <summary>The sizes in brackets, for messages: <c>[8, 768]</c>.</summary>
    public override string ToString() => Rank switch
    {
        1 => $"[{d0}]",
        2 => $"[{d0}, {d1}]",
        3 => $"[{d0}, {d1}, {d2}]",
        4 => $"[{d0}, {d1}, {d2}, {d3}]",
        _ => "[]",
    };
}
