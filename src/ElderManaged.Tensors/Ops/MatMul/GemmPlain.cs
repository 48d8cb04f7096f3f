namespace ElderManaged.Tensors;

/// <summary>The matrix product as one reads it in a textbook, in double precision: the oracle of <see cref="Gemm"/>.</summary>
public static class GemmPlain
{
    /// <summary>C ← alpha·op(A)·op(B), plus C when <paramref name="accumulate"/> is set. The arguments are those of <see cref="Gemm.Multiply"/>.</summary>
    /// <param name="transA">False: A is (m, k). True: A is (k, m).</param>
    /// <param name="transB">False: B is (k, n). True: B is (n, k).</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">The inner size.</param>
    /// <param name="a">The left matrix.</param>
    /// <param name="lda">The row stride of A.</param>
    /// <param name="b">The right matrix.</param>
    /// <param name="ldb">The row stride of B.</param>
    /// <param name="c">The result.</param>
    /// <param name="ldc">The row stride of C.</param>
    /// <param name="accumulate">Adds to C instead of replacing it.</param>
    /// <param name="alpha">A factor.</param>
    public static void Multiply(
        bool transA,
        bool transB,
        int m,
        int n,
        int k,
        ReadOnlySpan<double> a,
        int lda,
        ReadOnlySpan<double> b,
        int ldb,
        Span<double> c,
        int ldc,
        bool accumulate = false,
        double alpha = 1)
    {
        if (!GemmShapes.Check(transA, transB, m, n, k, a.Length, lda, b.Length, ldb, c.Length, ldc))
        {
            return;
        }

        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int p = 0; p < k; p++)
                {
                    double left = transA ? a[(p * lda) + i] : a[(i * lda) + p];
                    double right = transB ? b[(j * ldb) + p] : b[(p * ldb) + j];
                    sum += left * right;
                }

                c[(i * ldc) + j] = (alpha * sum) + (accumulate ? c[(i * ldc) + j] : 0);
            }
        }
    }
}
