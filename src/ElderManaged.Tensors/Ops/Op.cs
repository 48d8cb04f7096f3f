using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>
/// The operations on tensors, one file each in this folder. Every op computes its result at once and, inside a
/// recording <see cref="Tape"/>, notes how gradients flow back.
/// </summary>
/// <remarks>All ops may be called from several threads at once, each with its own tape.</remarks>
public static partial class Op
{
    /// <summary>Throws unless both tensors have the same shape.</summary>
    internal static void RequireSameShape(Tensor a, Tensor b, [CallerMemberName] string op = "")
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Shape != b.Shape)
        {
            throw new ArgumentException($"{op}: the shapes differ, left {a.Shape}, right {b.Shape}.");
        }
    }

    /// <summary>Throws unless <paramref name="vector"/> has one value for each column of <paramref name="x"/>.</summary>
    internal static void RequireColumns(Tensor x, Tensor vector, string what, [CallerMemberName] string op = "")
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(vector);
        if (vector.Shape.Rank != 1 || vector.Length != x.Columns)
        {
            throw new ArgumentException($"{op}: the {what} {vector.Shape} must be a vector of {x.Columns}, the width of the input {x.Shape}.");
        }
    }
}
