namespace ElderManaged.Tensors;

/// <summary>The plain double-precision twin of <see cref="Op.Attention"/>.</summary>
internal sealed class AttentionPlain(int heads, int kvHeads, int width, SequenceLayout layout, KeyValueSegment?[]? past)
{
    public double[] Forward(double[] q, double[] k, double[] v)
    {
        double[] y = new double[q.Length];
        Each(q, k, (row, h, sequence, weights) =>
        {
            for (int p = 0; p < weights.Length; p++)
            {
                for (int c = 0; c < width; c++)
                {
                    y[At(row, h, c)] += weights[p] * Value(v, sequence, p, h, c);
                }
            }
        });
        return y;
    }

    public double[][] Backward(double[] q, double[] k, double[] v, double[] dy)
    {
        double[] dq = new double[q.Length];
        double[] dk = new double[k.Length];
        double[] dv = new double[v.Length];
        double scale = 1 / Math.Sqrt(width);
        Each(q, k, (row, h, sequence, weights) =>
        {
            double[] dw = new double[weights.Length];
            double mean = 0;
            for (int p = 0; p < weights.Length; p++)
            {
                for (int c = 0; c < width; c++)
                {
                    dw[p] += dy[At(row, h, c)] * Value(v, sequence, p, h, c);
                }

                mean += weights[p] * dw[p];
            }

            for (int p = 0; p < weights.Length; p++)
            {
                double ds = weights[p] * (dw[p] - mean) * scale;
                int own = p - layout.Past[sequence];
                for (int c = 0; c < width; c++)
                {
                    dq[At(row, h, c)] += ds * Key(k, sequence, p, h, c);
                    if (own >= 0)
                    {
                        dk[KeyAt(sequence, own, h, c)] += ds * q[At(row, h, c)];
                        dv[KeyAt(sequence, own, h, c)] += weights[p] * dy[At(row, h, c)];
                    }
                }
            }
        });
        return [dq, dk, dv];
    }

    /// <summary>Visits every row and head with its softmax weights over all positions that it sees.</summary>
    private void Each(double[] q, double[] k, Action<int, int, int, double[]> visit)
    {
        for (int row = 0; row < layout.Rows; row++)
        {
            int sequence = layout.Owners[row];
            for (int h = 0; h < heads; h++)
            {
                double[] weights = new double[layout.Positions[row] + 1];
                for (int p = 0; p < weights.Length; p++)
                {
                    for (int c = 0; c < width; c++)
                    {
                        weights[p] += q[At(row, h, c)] * Key(k, sequence, p, h, c) / Math.Sqrt(width);
                    }
                }

                double largest = weights.Max();
                double sum = weights.Sum(s => Math.Exp(s - largest));
                visit(row, h, sequence, weights.Select(s => Math.Exp(s - largest) / sum).ToArray());
            }
        }
    }

    private int At(int row, int head, int c) => (((row * heads) + head) * width) + c;

    private int KeyAt(int sequence, int own, int head, int c) =>
        ((((layout.Starts[sequence] + own) * kvHeads) + KvHead(head)) * width) + c;

    private int KvHead(int head) => head / (heads / kvHeads);

    private double Key(double[] k, int sequence, int p, int head, int c) => p < layout.Past[sequence]
        ? past![sequence]!.Key(p, (KvHead(head) * width) + c)
        : k[KeyAt(sequence, p - layout.Past[sequence], head, c)];

    private double Value(double[] v, int sequence, int p, int head, int c) => p < layout.Past[sequence]
        ? past![sequence]!.Value(p, (KvHead(head) * width) + c)
        : v[KeyAt(sequence, p - layout.Past[sequence], head, c)];
}
