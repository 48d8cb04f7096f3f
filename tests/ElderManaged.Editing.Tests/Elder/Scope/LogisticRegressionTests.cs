using ElderManaged.Editing.Elder;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests;

public sealed class LogisticRegressionTests
{
    [Fact]
    public void SeparableDataAreSeparatedWithFiniteCoefficients()
    {
        double[][] x = [[0, 0], [0.2, 1], [0.1, 0.5], [0.8, 0], [1, 1], [0.9, 0.4]];
        bool[] y = [false, false, false, true, true, true];
        LogisticRegression model = LogisticRegression.Fit(x, y, 1e-4);
        for (int i = 0; i < x.Length; i++)
        {
            Assert.Equal(y[i], model.Logit(x[i]) > 0);
        }

        Assert.InRange(model.Weights[0], 1, 1e3);
    }

    [Fact]
    public void OneCoinGivesTheKnownAnswer()
    {
        // x = 1: 3 of 4 positive, x = 0: 1 of 4: w = ln 3 − ln 1/3, b = ln 1/3; the classes have equal size.
        double[][] x = [[1], [1], [1], [1], [0], [0], [0], [0]];
        bool[] y = [true, true, true, false, true, false, false, false];
        LogisticRegression model = LogisticRegression.Fit(x, y, 1e-12);
        Assert.Equal(Math.Log(1.0 / 3), model.Intercept, 6);
        Assert.Equal(Math.Log(9), model.Weights[0], 6);
    }

    [Fact]
    public void NoisyDataGiveTheCoefficientsThatMadeThem()
    {
        RandomSource random = new(9);
        List<double[]> x = [];
        List<bool> y = [];
        for (int i = 0; i < 40_000; i++)
        {
            double[] features = [random.NextGaussian(), random.NextGaussian()];
            x.Add(features);
            y.Add(random.NextDouble() < LogisticRegression.Sigmoid((1.5 * features[0]) - (0.7 * features[1])));
        }

        LogisticRegression model = LogisticRegression.Fit(x, y, 1e-9);
        Assert.Equal(1.5, model.Weights[0], 0.06);
        Assert.Equal(-0.7, model.Weights[1], 0.06);
        Assert.Equal(0, model.Intercept, 0.06);
    }

    [Fact]
    public void TheSolutionIsStationary()
    {
        double[][] x = [[0.1, 3], [0.5, -1], [0.9, 2], [0.3, 0], [0.7, 0.5]];
        bool[] y = [false, true, true, false, false];
        const double ridge = 0.01;
        LogisticRegression model = LogisticRegression.Fit(x, y, ridge);
        for (int i = 0; i < 2; i++)
        {
            double gradient = ridge * model.Weights[i];
            for (int k = 0; k < x.Length; k++)
            {
                gradient += (y[k] ? 0.5 / 2 : 0.5 / 3) * (LogisticRegression.Sigmoid(model.Logit(x[k])) - (y[k] ? 1 : 0)) * x[k][i];
            }

            Assert.Equal(0, gradient, 1e-7);
        }
    }

    [Fact]
    public void AClassThatIsMissingIsNamed() =>
        Assert.Contains("2 positive and 0 negative", Assert.Throws<ArgumentException>(() => LogisticRegression.Fit([[1.0], [2.0]], [true, true], 1)).Message);
}
