namespace ElderManaged.Tensors;

/// <summary>The plain double-precision twin of <see cref="Op.LinearCrossEntropy"/>: a projection, then cross-entropies.</summary>
internal static class LinearCrossEntropyPlain
{
    public static double[] Forward(double[] x, double[] weight, int[] targets, int outputs, int inputs) =>
        CrossEntropyPlain.RowLosses(LinearPlain.Forward(x, weight, null, targets.Length, outputs, inputs), targets, outputs);

    public static double[] Backward(double[] x, double[] weight, int[] targets, double[] dy, int outputs, int inputs)
    {
        double[] logits = LinearPlain.Forward(x, weight, null, targets.Length, outputs, inputs);
        double[] slopes = CrossEntropyPlain.RowsBackward(logits, targets, outputs, dy);
        return LinearPlain.Backward(x, weight, slopes, targets.Length, outputs, inputs).Dx;
    }
}
