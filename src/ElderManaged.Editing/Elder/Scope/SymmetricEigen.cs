namespace ElderManaged.Editing.Elder;

/// <summary>
/// Eigenvalues and eigenvectors of a real symmetric matrix in double precision: Householder reduction to tridiagonal
/// form, then the QL algorithm with implicit shifts (Golub and Van Loan, Matrix Computations, §8.3).
/// </summary>
public static class SymmetricEigen
{
    private const int MostSweeps = 60;

    /// <summary>Decomposes A = Σ λ_i v_i v_iᵀ.</summary>
    /// <param name="matrix">A [n, n], row-major; only its lower triangle is read, and it is left as it was.</param>
    /// <param name="n">The size.</param>
    /// <returns>
    /// λ in descending order and the unit vectors v_i as rows [n, n] in the same order; the entry of largest magnitude
    /// of each is positive, so that the result does not depend on an arbitrary sign.
    /// </returns>
    public static (double[] Values, double[] Vectors) Decompose(ReadOnlySpan<double> matrix, int n)
    {
        if (n < 1 || matrix.Length != n * n)
        {
            throw new ArgumentException($"SymmetricEigen: {matrix.Length} numbers do not make a {n} × {n} matrix.");
        }

        if (matrix.IndexOfAnyExceptInRange(double.MinValue, double.MaxValue) is var bad && bad >= 0)
        {
            throw new ArgumentException($"SymmetricEigen: element [{bad / n}, {bad % n}] is {matrix[bad]}; all numbers must be finite.");
        }

        double[] a = matrix.ToArray();
        double[] diagonal = new double[n], below = new double[n];
        Tridiagonalise(a, n, diagonal, below);
        ImplicitQl(a, n, diagonal, below);
        return Sorted(a, n, diagonal);
    }

    /// <summary>
    /// A = Qᵀ T Q. On return the rows of <paramref name="a"/> are those of Q, T's diagonal is in
    /// <paramref name="d"/>, and <paramref name="e"/>[i] is T[i, i − 1].
    /// </summary>
    private static void Tridiagonalise(double[] a, int n, double[] d, double[] e)
    {
        // Row i loses its entries left of the one below the diagonal by a reflection H = I − u uᵀ / h, applied on both
        // sides to the leading i × i part. u is kept in row i, so that Q can be built afterwards.
        double[] p = new double[n];
        double[] h = new double[n];
        for (int i = n - 1; i >= 1; i--)
        {
            Span<double> u = a.AsSpan(i * n, i);
            double scale = 0;
            foreach (double x in u[..^1])
            {
                scale += Math.Abs(x);
            }

            if (scale == 0)
            {
                e[i] = u[i - 1]; // already tridiagonal here: no reflection
                continue;
            }

            scale += Math.Abs(u[i - 1]);
            double square = 0;
            foreach (ref double x in u)
            {
                x /= scale; // avoids overflow and underflow of the squares
                square += x * x;
            }

            double last = u[i - 1];
            double g = last >= 0 ? -Math.Sqrt(square) : Math.Sqrt(square);
            e[i] = scale * g;
            h[i] = square - (last * g);
            u[i - 1] = last - g;

            // p = A u / h over the symmetric leading part, of which only the lower triangle is kept.
            Array.Clear(p, 0, i);
            for (int r = 0; r < i; r++)
            {
                ReadOnlySpan<double> row = a.AsSpan(r * n, r);
                double ur = u[r], sum = a[(r * n) + r] * ur;
                for (int c = 0; c < row.Length; c++)
                {
                    sum += row[c] * u[c];
                    p[c] += row[c] * ur;
                }

                p[r] += sum;
            }

            double k = 0;
            for (int r = 0; r < i; r++)
            {
                p[r] /= h[i];
                k += u[r] * p[r];
            }

            k /= 2 * h[i];
            for (int r = 0; r < i; r++)
            {
                p[r] -= k * u[r];
            }

            // A ← A − u pᵀ − p uᵀ
            for (int r = 0; r < i; r++)
            {
                Span<double> row = a.AsSpan(r * n, r + 1);
                double ur = u[r], pr = p[r];
                for (int c = 0; c < row.Length; c++)
                {
                    row[c] -= (ur * p[c]) + (pr * u[c]);
                }
            }
        }

        // Q is the product of the reflections, built from the smallest up. Reflection i touches only the leading i
        // coordinates, so what has been built so far stays in the leading block.
        for (int i = 0; i < n; i++)
        {
            d[i] = a[(i * n) + i];
            if (h[i] != 0)
            {
                double[] u = a.AsSpan(i * n, i).ToArray();
                for (int r = 0; r < i; r++)
                {
                    Span<double> row = a.AsSpan(r * n, i);
                    double sum = 0;
                    for (int c = 0; c < i; c++)
                    {
                        sum += row[c] * u[c];
                    }

                    sum /= h[i];
                    for (int c = 0; c < i; c++)
                    {
                        row[c] -= sum * u[c];
                    }
                }
            }

            a.AsSpan(i * n, i).Clear();
            for (int r = 0; r < i; r++)
            {
                a[(r * n) + i] = 0;
            }

            a[(i * n) + i] = 1;
        }
    }

    /// <summary>Turns T into diagonal form by plane rotations, which also turn the rows of <paramref name="z"/>.</summary>
    private static void ImplicitQl(double[] z, int n, double[] d, double[] e)
    {
        Array.Copy(e, 1, e, 0, n - 1); // e[i] now couples i and i + 1
        e[n - 1] = 0;
        double largest = 0;
        for (int i = 0; i < n; i++)
        {
            largest = Math.Max(largest, Math.Abs(d[i]) + Math.Abs(e[i]));
        }

        for (int l = 0; l < n; l++)
        {
            for (int sweep = 0; ; sweep++)
            {
                int m = l;
                while (m < n - 1 && !Negligible(e[m], d[m], d[m + 1], largest))
                {
                    m++;
                }

                if (m == l)
                {
                    break;
                }

                if (sweep == MostSweeps)
                {
                    throw new ArithmeticException($"SymmetricEigen: eigenvalue {l} of {n} did not settle in {MostSweeps} sweeps.");
                }

                // Wilkinson's shift: the eigenvalue of the leading 2 × 2 block that is nearer to d[l].
                double g = (d[l + 1] - d[l]) / (2 * e[l]);
                double r = Hypotenuse(g, 1);
                g = d[m] - d[l] + (e[l] / (g + Math.CopySign(r, g)));
                double s = 1, c = 1, p = 0;
                int i;
                for (i = m - 1; i >= l; i--)
                {
                    double f = s * e[i], b = c * e[i];
                    r = Hypotenuse(f, g);
                    e[i + 1] = r;
                    if (r == 0)
                    {
                        d[i + 1] -= p; // the matrix splits here
                        e[m] = 0;
                        break;
                    }

                    s = f / r;
                    c = g / r;
                    g = d[i + 1] - p;
                    r = ((d[i] - g) * s) + (2 * c * b);
                    p = s * r;
                    d[i + 1] = g + p;
                    g = (c * r) - b;
                    Rotate(z.AsSpan(i * n, n), z.AsSpan((i + 1) * n, n), c, s);
                }

                if (r == 0 && i >= l)
                {
                    continue;
                }

                d[l] -= p;
                e[l] = g;
                e[m] = 0;
            }
        }
    }

    private static bool Negligible(double e, double left, double right, double largest) =>
        Math.Abs(e) <= 1.1e-16 * (Math.Abs(left) + Math.Abs(right)) || Math.Abs(e) <= 1e-18 * largest;

    private static double Hypotenuse(double a, double b)
    {
        (a, b) = (Math.Abs(a), Math.Abs(b));
        double big = Math.Max(a, b), ratio = big == 0 ? 0 : Math.Min(a, b) / big;
        return big * Math.Sqrt(1 + (ratio * ratio));
    }

    private static void Rotate(Span<double> upper, Span<double> lower, double c, double s)
    {
        for (int k = 0; k < upper.Length; k++)
        {
            double f = lower[k];
            lower[k] = (s * upper[k]) + (c * f);
            upper[k] = (c * upper[k]) - (s * f);
        }
    }

    private static (double[] Values, double[] Vectors) Sorted(double[] rows, int n, double[] values)
    {
        int[] order = [.. Enumerable.Range(0, n).OrderByDescending(i => values[i]).ThenBy(i => i)];
        double[] sorted = new double[n], vectors = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            sorted[i] = values[order[i]];
            ReadOnlySpan<double> from = rows.AsSpan(order[i] * n, n);
            int largest = 0;
            for (int k = 1; k < n; k++)
            {
                largest = Math.Abs(from[k]) > Math.Abs(from[largest]) ? k : largest;
            }

            double sign = from[largest] < 0 ? -1 : 1;
            for (int k = 0; k < n; k++)
            {
                vectors[(i * n) + k] = sign * from[k];
            }
        }

        return (sorted, vectors);
    }
}
