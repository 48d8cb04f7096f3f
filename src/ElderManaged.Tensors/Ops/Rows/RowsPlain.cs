namespace ElderManaged.Tensors;

/// <summary>
/// The plain double-precision twin of <see cref="Op.GatherRows"/>, <see cref="Op.ScatterRows"/> and the embedding
/// look-up; gathering and scattering are each other's backward.
/// </summary>
internal static class RowsPlain
{
    /// <summary>y[i, :] = x[rows[i], :].</summary>
    public static double[] Gather(double[] x, int[] rows, int width)
    {
        double[] y = new double[rows.Length * width];
        for (int i = 0; i < rows.Length; i++)
        {
            for (int c = 0; c < width; c++)
            {
                y[(i * width) + c] = x[(rows[i] * width) + c];
            }
        }

        return y;
    }

    /// <summary>y[rows[i], :] += x[i, :], from zeros.</summary>
    public static double[] Scatter(double[] x, int[] rows, int width, int count)
    {
        double[] y = new double[count * width];
        for (int i = 0; i < rows.Length; i++)
        {
            for (int c = 0; c < width; c++)
            {
                y[(rows[i] * width) + c] += x[(i * width) + c];
            }
        }

        return y;
    }
}
