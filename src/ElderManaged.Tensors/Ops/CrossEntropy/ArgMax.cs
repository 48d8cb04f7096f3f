using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The position of the largest number; of equal ones the first.</summary>
    /// <exception cref="ArgumentException">The row is empty or contains NaN.</exception>
    public static int ArgMax(ReadOnlySpan<float> row)
    {
        if (row.IsEmpty)
        {
            throw new ArgumentException("ArgMax: the row is empty.");
        }

        float largest = TensorPrimitives.Max(row);
        Vector512<float> wanted = Vector512.Create(largest);
        ref float first = ref MemoryMarshal.GetReference(row);
        int i = 0;
        for (; i <= row.Length - 16; i += 16)
        {
            if (Vector512.EqualsAny(Vector512.LoadUnsafe(ref first, (nuint)i), wanted))
            {
                break;
            }
        }

        for (; i < row.Length; i++)
        {
            if (row[i] == largest)
            {
                return i;
            }
        }

        throw new ArgumentException($"ArgMax: the row of {row.Length} numbers contains NaN.");
    }
}
