using ElderManaged.Editing.Elder;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests;

public sealed class WhiteningTests
{
    [Theory]
    [InlineData(6, 6, 200)]
    [InlineData(24, 10, 300)]
    public void ItsOwnDataComeOutUncorrelatedWithUnitVariance(int width, int components, int count)
    {
        RandomSource random = new(5);
        float[] mixing = new float[width * width], shift = new float[width];
        random.FillGaussian(mixing, 1);
        random.FillGaussian(shift, 10);
        float[][] vectors = [.. Enumerable.Range(0, count).Select(_ =>
        {
            float[] z = new float[width];
            random.FillGaussian(z, 1);
            return Enumerable.Range(0, width).Select(i => shift[i] + Enumerable.Range(0, width).Sum(j => mixing[(i * width) + j] * z[j] * (j + 1))).ToArray();
        })];

        Whitening whitening = Whitening.Fit(vectors, components, 1e-7);
        Assert.Equal(components, whitening.Components);
        float[][] white = [.. vectors.Select(v =>
        {
            float[] y = new float[components];
            whitening.Apply(v, y);
            return y;
        })];
        for (int i = 0; i < components; i++)
        {
            Assert.Equal(0, white.Average(y => (double)y[i]), 1e-4);
            for (int j = 0; j < components; j++)
            {
                Assert.Equal(i == j ? 1 : 0, white.Average(y => (double)y[i] * y[j]), 1e-3);
            }
        }
    }

    [Fact]
    public void DirectionsWithoutVarianceAreLeftOut()
    {
        RandomSource random = new(6);
        float[][] vectors = [.. Enumerable.Range(0, 50).Select(_ =>
        {
            float a = random.NextGaussian(), b = random.NextGaussian();
            return new[] { a, b, a + b, 3f, a - b };
        })];
        Assert.Equal(2, Whitening.Fit(vectors, 5, 1e-7).Components);
    }

    [Fact]
    public void EqualVectorsAreRefused() =>
        Assert.Contains("all 3 vectors are equal", Assert.Throws<ArgumentException>(() => Whitening.Fit([[1, 2], [1, 2], [1, 2]], 2, 1e-7)).Message);
}
