using ElderManaged.Editing.Elder;
using ElderManaged.Tensors;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Editing.Tests;

public sealed class SymmetricEigenTests
{
    [Fact]
    public void KnownMatrices()
    {
        (double[] values, double[] vectors) = SymmetricEigen.Decompose([2, 1, 1, 2], 2);
        Assert.Equal([3, 1], values.Select(v => Math.Round(v, 12)));
        Assert.Equal(Math.Sqrt(0.5), vectors[0], 12);
        Assert.Equal(Math.Sqrt(0.5), vectors[1], 12);

        // The chain of springs: λ_k = 2 − 2 cos(kπ/(n+1)).
        const int n = 7;
        double[] chain = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            chain[(i * n) + i] = 2;
            if (i > 0)
            {
                chain[(i * n) + i - 1] = chain[((i - 1) * n) + i] = -1;
            }
        }

        values = SymmetricEigen.Decompose(chain, n).Values;
        for (int k = 1; k <= n; k++)
        {
            Assert.Equal(2 - (2 * Math.Cos(k * Math.PI / (n + 1))), values[n - k], 12);
        }

        Assert.Equal([5], SymmetricEigen.Decompose([5], 1).Values);
        Assert.Equal([0, 0, 0], SymmetricEigen.Decompose(new double[9], 3).Values);
        Assert.Equal([4, 1, -3], SymmetricEigen.Decompose([1, 0, 0, 0, -3, 0, 0, 0, 4], 3).Values);
    }

    [Fact]
    public void AnyMatrixIsPutTogetherAgain()
    {
        Gen<(int N, int Rank, ulong Seed)> cases =
            from n in Gen.Choose(1, 40)
            from rank in Gen.Choose(1, 45) // also of low rank, where eigenvalues coincide
            from seed in Gen.Choose(0, 1 << 20)
            select (n, rank, (ulong)seed);
        Prop.ForAll(cases.ToArbitrary(), test =>
        {
            (int n, int rank, ulong seed) = test;
            RandomSource random = new(seed);
            double[] a = new double[n * n];
            for (int k = 0; k < rank; k++)
            {
                double[] v = [.. Enumerable.Range(0, n).Select(_ => (double)random.NextGaussian())];
                double sign = random.Next(2) == 0 ? 1 : -1;
                for (int i = 0; i < n; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        a[(i * n) + j] += sign * v[i] * v[j];
                    }
                }
            }

            (double[] values, double[] vectors) = SymmetricEigen.Decompose(a, n);
            double scale = a.Max(Math.Abs) * n;
            for (int i = 0; i < n; i++)
            {
                Assert.True(i == 0 || values[i - 1] >= values[i]);
                for (int j = 0; j < n; j++)
                {
                    double again = 0, product = 0;
                    for (int k = 0; k < n; k++)
                    {
                        again += values[k] * vectors[(k * n) + i] * vectors[(k * n) + j];
                        product += vectors[(i * n) + k] * vectors[(j * n) + k];
                    }

                    Assert.Equal(a[(i * n) + j], again, 1e-13 * scale);
                    Assert.Equal(i == j ? 1 : 0, product, 1e-12);
                }
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));
    }

    [Fact]
    public void WhatIsNoMatrixIsRefused()
    {
        Assert.Contains("6 numbers", Assert.Throws<ArgumentException>(() => SymmetricEigen.Decompose(new double[6], 2)).Message);
        Assert.Contains("[1, 0] is NaN", Assert.Throws<ArgumentException>(() => SymmetricEigen.Decompose([1, 0, double.NaN, 1], 2)).Message);
    }
}
