namespace ElderManaged.Tensors;

/// <summary>General matrix product on the CPU, single precision: the fast twin of <see cref="GemmPlain"/>.</summary>
/// <remarks>
/// <para>
/// Every element is one chain of fused multiply-adds in ascending order of k,
/// s ← fma(alpha·A[i, p], B[p, j], s), that begins at 0, or at C[i, j] when accumulating.
/// Blocking, threads, vector width, transposition and the number of rows or columns in the call never change that chain.
/// So a row of C has the same bits alone as among a thousand, on one thread as on sixteen, with AVX-512 as in scalar code.
/// </para>
/// <para>
/// One kind of product has another order, which is kept as strictly: A·Bᵀ for a plain A, a B of at most sixteen rows and an alpha of 1, the way down to
/// the rank of a LoRA. An element is sixteen chains there, one for each remainder of k by sixteen, folded in halves; see <see cref="GemmThin"/>.
/// </para>
/// <para>No element is skipped, a zero neither: NaN and infinity pass through as IEEE 754 says. Safe to call from any thread.</para>
/// </remarks>
public static unsafe class Gemm
{
    /// <summary>C ← alpha·op(A)·op(B), plus C when <paramref name="accumulate"/> is set. All matrices are row-major.</summary>
    /// <param name="transA">False: A is (m, k). True: A is (k, m) and op(A) its transpose.</param>
    /// <param name="transB">False: B is (k, n). True: B is (n, k) and op(B) its transpose.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">The inner size.</param>
    /// <param name="a">The left matrix.</param>
    /// <param name="lda">From one stored row of A to the next; at least its width.</param>
    /// <param name="b">The right matrix.</param>
    /// <param name="ldb">From one stored row of B to the next; at least its width.</param>
    /// <param name="c">The result; must not overlap A or B.</param>
    /// <param name="ldc">From one row of C to the next; at least <paramref name="n"/>. What lies between the rows stays as it is.</param>
    /// <param name="accumulate">Adds to C instead of replacing it.</param>
    /// <param name="alpha">A factor; each element of A is multiplied by it (and rounded) first.</param>
    /// <exception cref="ArgumentException">A size is negative, or a span is too short for its sizes.</exception>
    public static void Multiply(
        bool transA,
        bool transB,
        int m,
        int n,
        int k,
        ReadOnlySpan<float> a,
        int lda,
        ReadOnlySpan<float> b,
        int ldb,
        Span<float> c,
        int ldc,
        bool accumulate = false,
        float alpha = 1f)
    {
        if (!GemmShapes.Check(transA, transB, m, n, k, a.Length, lda, b.Length, ldb, c.Length, ldc))
        {
            return;
        }

        fixed (float* pa = a)
        fixed (float* pb = b)
        fixed (float* pc = c)
        {
            if (k == 0)
            {
                for (int i = 0; !accumulate && i < m; i++)
                {
                    new Span<float>(pc + ((nint)i * ldc), n).Clear();
                }

                return;
            }

            if (GemmThin.Serves(transA, transB, n, alpha))
            {
                GemmThin.Multiply(pa, lda, pb, ldb, pc, ldc, m, n, k, accumulate);
                return;
            }

            GemmBlocks.Multiply(pa, transA ? 1 : lda, transA ? lda : 1, transB, pb, ldb, pc, ldc, m, n, k, accumulate, alpha);
        }
    }
}
