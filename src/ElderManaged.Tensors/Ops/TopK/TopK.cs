using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>Finds the largest numbers of a row.</summary>
public static class TopK
{
    /// <summary>
    /// Writes the indices of the <paramref name="k"/> largest elements, largest first. Equal elements come in the order of their
    /// indices; elements that are not numbers come after all numbers.
    /// </summary>
    /// <param name="row">The elements.</param>
    /// <param name="k">How many are wanted, 0 to the length of <paramref name="row"/>.</param>
    /// <param name="indices">Takes the result in its first <paramref name="k"/> places.</param>
    /// <remarks>
    /// A sorted list of the best so far, into which an element is inserted: one pass for rows in random order, where only about
    /// k·ln(n/k) elements get in; n·k steps at worst.
    /// </remarks>
    public static void Select(ReadOnlySpan<float> row, int k, Span<int> indices)
    {
        if (k < 0 || k > row.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(k), k, $"TopK: {k} of {row.Length} elements cannot be selected.");
        }

        if (indices.Length < k)
        {
            throw new ArgumentException($"TopK: the result needs {k} places, it has {indices.Length}.");
        }

        if (k == 0)
        {
            return;
        }

        int found = 0;
        for (int i = 0; i < row.Length; i++)
        {
            if (found == k)
            {
                i = SkipNotAbove(row, i, row[indices[k - 1]]);
                if (i == row.Length)
                {
                    break;
                }
            }

            // The last place is free or lost; what stands behind the new element moves on by one.
            int place = found < k ? found++ : k - 1;
            while (place > 0 && IsBefore(row[i], row[indices[place - 1]]))
            {
                indices[place] = indices[place - 1];
                place--;
            }

            indices[place] = i;
        }
    }

    /// <summary>As <see cref="Select"/>, for every row of a matrix. From a device only the indices come back.</summary>
    /// <param name="x">[R, C].</param>
    /// <param name="k">How many of each row are wanted, 0 to C.</param>
    /// <param name="indices">Takes R·k indices, those of the first row first.</param>
    public static void SelectOfRows(Tensor x, int k, Span<int> indices)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (k < 0 || k > x.Columns)
        {
            throw new ArgumentOutOfRangeException(nameof(k), k, $"TopK: {k} of {x.Columns} elements cannot be selected.");
        }

        if (indices.Length < (long)x.Rows * k)
        {
            throw new ArgumentException($"TopK: the result needs {x.Rows} times {k} places, it has {indices.Length}.");
        }

        if (GpuFeature.IsSupported && k > 0 && x.Gpu is { } gpu && TopKGpu.Takes(x))
        {
            _ = TopKGpu.Select(gpu, x, k, indices);
            return;
        }

        ReadOnlySpan<float> numbers = x.ReadOnlySpan;
        for (int row = 0; row < x.Rows; row++)
        {
            Select(numbers.Slice(row * x.Columns, x.Columns), k, indices.Slice(row * k, k));
        }
    }

    /// <summary>Whether a later element must stand before an earlier one.</summary>
    private static bool IsBefore(float later, float earlier) => later > earlier || (float.IsNaN(earlier) && !float.IsNaN(later));

    /// <summary>The first index from <paramref name="i"/> on whose element would stand before <paramref name="least"/>.</summary>
    private static int SkipNotAbove(ReadOnlySpan<float> row, int i, float least)
    {
        if (!float.IsNaN(least))
        {
            Vector512<float> bound = Vector512.Create(least);
            while (i <= row.Length - 16 && !Vector512.GreaterThanAny(Vector512.Create(row[i..]), bound))
            {
                i += 16;
            }
        }

        while (i < row.Length && !IsBefore(row[i], least))
        {
            i++;
        }

        return i;
    }
}
