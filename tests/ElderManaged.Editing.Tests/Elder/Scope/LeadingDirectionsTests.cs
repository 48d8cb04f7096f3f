using ElderManaged.Editing.Elder;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests;

public sealed class LeadingDirectionsTests
{
    [Theory]
    [InlineData(96, 400, 20)]
    [InlineData(300, 90, 40)] // fewer samples than the width
    public void TheyAreThoseOfTheWholeCovariance(int width, int samples, int wanted)
    {
        float[][] vectors = Samples(width, samples);
        double[] mean = Mean(vectors);
        (double[] values, double[] directions) = LeadingDirections.Find(vectors, mean, wanted);
        (double[] all, double[] vectorsOfAll) = SymmetricEigen.Decompose(Covariance(vectors, mean), width);
        Assert.Equal(wanted, values.Length);
        for (int d = 0; d < wanted; d++)
        {
            Assert.Equal(all[d], values[d], 1e-4 * all[d]);
        }

        // The first ones are well apart from each other, so they must agree one by one.
        for (int d = 0; d < 5; d++)
        {
            double cosine = 0;
            for (int i = 0; i < width; i++)
            {
                cosine += directions[(d * width) + i] * vectorsOfAll[(d * width) + i];
            }

            Assert.Equal(1, Math.Abs(cosine), 1e-4);
        }
    }

    [Fact]
    public void ThreadsDoNotShowInTheBits()
    {
        float[][] vectors = Samples(700, 130);
        double[] mean = Mean(vectors);
        int before = CpuThreads.Count;
        try
        {
            CpuThreads.Count = 1;
            (double[] values, double[] directions) = LeadingDirections.Find(vectors, mean, 16);
            CpuThreads.Count = 3;
            (double[] again, double[] directionsAgain) = LeadingDirections.Find(vectors, mean, 16);
            Assert.Equal(values, again);
            Assert.Equal(directions, directionsAgain);
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    [Fact]
    public void AWideWhiteningHasUnitVarianceToo()
    {
        float[][] vectors = Samples(1100, 200);
        Whitening whitening = Whitening.Fit(vectors, 12, 1e-7);
        Assert.Equal(12, whitening.Components);
        float[][] white = [.. vectors.Select(v =>
        {
            float[] y = new float[12];
            whitening.Apply(v, y);
            return y;
        })];
        for (int i = 0; i < 12; i++)
        {
            for (int j = 0; j < 12; j++)
            {
                Assert.Equal(i == j ? 1 : 0, white.Average(y => (double)y[i] * y[j]), 1e-3);
            }
        }
    }

    // Variances that fall by and by, as activations' do.
    private static float[][] Samples(int width, int samples)
    {
        RandomSource random = new(9);
        float[] mixing = new float[width * width];
        random.FillGaussian(mixing, 1);
        return [.. Enumerable.Range(0, samples).Select(_ =>
        {
            float[] z = new float[width], v = new float[width];
            random.FillGaussian(z, 1);
            for (int j = 0; j < width; j++)
            {
                for (int i = 0; i < width; i++)
                {
                    v[i] += mixing[(j * width) + i] * z[j] / (j + 1);
                }
            }

            return v;
        })];
    }

    private static double[] Mean(float[][] vectors) => [.. Enumerable.Range(0, vectors[0].Length).Select(i => vectors.Average(v => (double)v[i]))];

    private static double[] Covariance(float[][] vectors, double[] mean)
    {
        int width = mean.Length;
        double[] covariance = new double[width * width];
        foreach (float[] v in vectors)
        {
            for (int i = 0; i < width; i++)
            {
                for (int j = 0; j < width; j++)
                {
                    covariance[(i * width) + j] += (v[i] - mean[i]) * (v[j] - mean[j]) / vectors.Length;
                }
            }
        }

        return covariance;
    }
}
