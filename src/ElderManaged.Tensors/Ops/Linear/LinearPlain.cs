namespace ElderManaged.Tensors;

/// <summary>The plain double-precision twin of <see cref="Op.Linear(Tensor, Tensor, Tensor?)"/>.</summary>
internal static class LinearPlain
{
    public static double[] Forward(double[] x, double[] weight, double[]? bias, int rows, int output, int input)
    {
        double[] y = new double[rows * output];
        for (int r = 0; r < rows; r++)
        {
            for (int o = 0; o < output; o++)
            {
                double sum = bias is null ? 0 : bias[o];
                for (int i = 0; i < input; i++)
                {
                    sum += x[(r * input) + i] * weight[(o * input) + i];
                }

                y[(r * output) + o] = sum;
            }
        }

        return y;
    }

    public static (double[] Dx, double[] Dweight, double[] Dbias) Backward(
        double[] x, double[] weight, double[] dy, int rows, int output, int input)
    {
        double[] dx = new double[x.Length];
        double[] dw = new double[weight.Length];
        double[] db = new double[output];
        for (int r = 0; r < rows; r++)
        {
            for (int o = 0; o < output; o++)
            {
                double g = dy[(r * output) + o];
                db[o] += g;
                for (int i = 0; i < input; i++)
                {
                    dx[(r * input) + i] += g * weight[(o * input) + i];
                    dw[(o * input) + i] += g * x[(r * input) + i];
                }
            }
        }

        return (dx, dw, db);
    }
}
