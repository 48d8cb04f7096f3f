namespace ElderManaged.Tensors;

/// <summary>The plain double-precision twin of <see cref="Op.LoraMixture"/>.</summary>
internal sealed class LoraMixturePlain(int rank, int input, int output, LoraAllocation allocation, double scale)
{
    public double[] Forward(double[] x, double[] a, double[] b, double[] weights, double[]? addTo)
    {
        double[] y = addTo?.ToArray() ?? new double[allocation.RowOwner.Length * output];
        Each((row, weight, ranked) =>
        {
            double h = Hidden(x, a, row, ranked);
            for (int o = 0; o < output; o++)
            {
                y[(row * output) + o] += scale * weights[weight] * h * b[(ranked * output) + o];
            }
        });
        return y;
    }

    /// <summary>The gradients of x, a, b and the weights; that of addTo is dy itself.</summary>
    public double[][] Backward(double[] x, double[] a, double[] b, double[] weights, double[] dy)
    {
        double[] dx = new double[x.Length];
        double[] da = new double[a.Length];
        double[] db = new double[b.Length];
        double[] dw = new double[weights.Length];
        Each((row, weight, ranked) =>
        {
            double h = Hidden(x, a, row, ranked);
            double g = 0;
            for (int o = 0; o < output; o++)
            {
                g += b[(ranked * output) + o] * dy[(row * output) + o];
                db[(ranked * output) + o] += scale * weights[weight] * h * dy[(row * output) + o];
            }

            dw[weight] += scale * h * g;
            for (int i = 0; i < input; i++)
            {
                dx[(row * input) + i] += scale * weights[weight] * g * a[(ranked * input) + i];
                da[(ranked * input) + i] += scale * weights[weight] * g * x[(row * input) + i];
            }
        });
        return [dx, da, db, dw];
    }

    /// <summary>Visits row, place in the weights and row of A and B, for every rank of every LoRA of every row.</summary>
    private void Each(Action<int, int, int> visit)
    {
        for (int row = 0; row < allocation.RowOwner.Length; row++)
        {
            int owner = allocation.RowOwner[row];
            for (int j = 0; owner >= 0 && j < allocation.K; j++)
            {
                int weight = (owner * allocation.K) + j;
                for (int p = 0; p < rank; p++)
                {
                    visit(row, weight, (allocation.Indices[weight] * rank) + p);
                }
            }
        }
    }

    private double Hidden(double[] x, double[] a, int row, int ranked)
    {
        double sum = 0;
        for (int i = 0; i < input; i++)
        {
            sum += a[(ranked * input) + i] * x[(row * input) + i];
        }

        return sum;
    }
}
