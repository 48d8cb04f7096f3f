namespace ElderManaged.Tensors;

/// <summary>The plain double-precision twin of <see cref="Op.MatMul"/>, one product after the other.</summary>
internal static class MatMulPlain
{
    public static double[] Forward(double[] a, double[] b, int batch, int m, int n, int k, bool transposeA, bool transposeB)
    {
        double[] c = new double[batch * m * n];
        Each(batch, m, n, k, transposeA, transposeB, (ia, ib, ic) => c[ic] += a[ia] * b[ib]);
        return c;
    }

    public static (double[] Da, double[] Db) Backward(
        double[] a, double[] b, double[] dc, int batch, int m, int n, int k, bool transposeA, bool transposeB)
    {
        double[] da = new double[a.Length];
        double[] db = new double[b.Length];
        Each(batch, m, n, k, transposeA, transposeB, (ia, ib, ic) =>
        {
            da[ia] += dc[ic] * b[ib];
            db[ib] += dc[ic] * a[ia];
        });
        return (da, db);
    }

    private static void Each(int batch, int m, int n, int k, bool transposeA, bool transposeB, Action<int, int, int> term)
    {
        for (int s = 0; s < batch; s++)
        {
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    for (int p = 0; p < k; p++)
                    {
                        int ia = (s * m * k) + (transposeA ? (p * m) + i : (i * k) + p);
                        int ib = (s * k * n) + (transposeB ? (j * k) + p : (p * n) + j);
                        term(ia, ib, (s * m * n) + (i * n) + j);
                    }
                }
            }
        }
    }
}
