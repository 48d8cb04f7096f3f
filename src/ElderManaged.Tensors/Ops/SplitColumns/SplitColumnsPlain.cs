namespace ElderManaged.Tensors;

/// <summary>The plain double-precision twin of one part of <see cref="Op.SplitColumns3"/>.</summary>
internal static class SplitColumnsPlain
{
    public static double[] Forward(double[] x, int columns, int part) =>
        x.Chunk(columns).SelectMany(row => row.Skip(part * (columns / 3)).Take(columns / 3)).ToArray();

    public static double[] Backward(double[] dy, int columns, int part)
    {
        int width = columns / 3;
        double[] dx = new double[dy.Length * 3];
        for (int i = 0; i < dy.Length; i++)
        {
            dx[(i / width * columns) + (part * width) + (i % width)] = dy[i];
        }

        return dx;
    }
}
