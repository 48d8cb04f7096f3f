using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class DropoutTests
{
    private static OpInstance Draw(RandomSource random, Shape shape)
    {
        float probability = 0.05f + (0.8f * random.NextFloat());
        ulong seed = random.NextBits();
        return new()
        {
            Inputs = [OpInput.Gaussian(random, shape)],
            Fast = x => Op.Dropout(x[0], probability, new RandomSource(seed)),
            Plain = x => DropoutPlain.Forward(x[0], probability, new RandomSource(seed)),
            PlainBackward = (_, dy) => [DropoutPlain.Backward(dy, probability, new RandomSource(seed))],
            Description = $"probability {probability}",
        };
    }

    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Dropout", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(170)))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Dropout", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Dropout", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(1700)))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Dropout", random => Draw(random, new Shape(1 + random.Next(5), 1 + random.Next(70)))), cases: 2);

    [Fact]
    public void EveryLength()
    {
        for (int length = 1; length <= 65; length++)
        {
            OpChecks.CheckInstance(new OpCase("Dropout", random => Draw(random, new Shape(length))), (ulong)length);
        }
    }

    [Fact]
    public void DropsTheStatedShareAndKeepsTheMean()
    {
        float[] y = Op.Dropout(Tensor.Full(new Shape(100_000), 1), 0.3f, new RandomSource(6)).Span.ToArray();
        Assert.Equal(0.3, y.Count(v => v == 0) / 100_000.0, 0.006); // four standard deviations
        Assert.Equal(1, y.Average(), 0.01);
    }

    [Fact]
    public void ProbabilityZeroIsTheInputItself()
    {
        RandomSource random = new(6);
        Tensor x = new(new Shape(5));
        Assert.Same(x, Op.Dropout(x, 0, random));
        Assert.Equal(new RandomSource(6).NextBits(), random.NextBits());
    }

    [Fact]
    public void SpecialValuesFollowTheMask()
    {
        Tensor x = Tensor.Full(new Shape(64), float.NaN);
        float[] y = Op.Dropout(x, 0.5f, new RandomSource(6)).Span.ToArray();
        Assert.Contains(y, float.IsNaN);
        Assert.Contains(0f, y);
    }

    [Fact]
    public void ThreadsDoNotChangeBits() =>
        ThreadChecks.SameBits(x => Op.Dropout(x[0], 0.2f, new RandomSource(3)), new Shape(211, 1030));

    [Theory]
    [InlineData(1f)]
    [InlineData(-0.1f)]
    [InlineData(float.NaN)]
    public void WrongProbabilitiesAreNamed(float probability) => Assert.StartsWith(
        $"Dropout: the probability {probability} must be at least 0 and below 1.",
        Assert.Throws<ArgumentOutOfRangeException>(() => Op.Dropout(new Tensor(new Shape(2)), probability, new RandomSource(1))).Message,
        StringComparison.Ordinal);
}
