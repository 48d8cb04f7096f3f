using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class PickColumnsTests
{
    private static OpInstance Draw(RandomSource random, int rows, int n, int k)
    {
        int[] columns = new int[rows * k];
        for (int i = 0; i < columns.Length; i++)
        {
            columns[i] = random.Next(n);
        }

        return new()
        {
            Inputs = [OpInput.Gaussian(random, new Shape(rows, n))],
            Fast = x => Op.PickColumns(x[0], columns),
            Plain = x => PickColumnsPlain.Forward(x[0], n, columns, k),
            PlainBackward = (x, dy) => [PickColumnsPlain.Backward(x[0], n, columns, k, dy)],
            Description = string.Join(",", columns),
        };
    }

    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(new OpCase(
        "PickColumns", random => Draw(random, 1 + random.Next(7), 1 + random.Next(40), 1 + random.Next(6))));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("PickColumns", random => Draw(random, 1 + random.Next(700), 1 + random.Next(40), 1 + random.Next(6))));

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("PickColumns", random => Draw(random, 1 + random.Next(700), 1 + random.Next(40), 1 + random.Next(6))), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("PickColumns", random => Draw(random, 1 + random.Next(7), 1 + random.Next(40), 1 + random.Next(6))), cases: 2);

    [Fact]
    public void EveryWidth()
    {
        for (int n = 1; n <= 33; n++)
        {
            OpChecks.CheckInstance(new OpCase("PickColumns", random => Draw(random, 3, n, 2)), (ulong)n);
        }
    }

    [Fact]
    public void AColumnNamedTwiceGetsBothGradients()
    {
        Tensor x = new(new Shape(2, 3), [1, 2, 3, 4, 5, float.NaN]) { RequiresGrad = true };
        int[] columns = [1, 1, 2, 0];
        using Tape tape = Tape.Start();
        Tensor y = Op.PickColumns(x, columns);
        Assert.Equal([2, 2, float.NaN, 4], y.Span.ToArray());
        columns.AsSpan().Clear(); // the caller's array is the caller's again
        tape.Backward(y, [10, 5, 1, 2]);
        Assert.Equal([0, 15, 0, 2, 0, 1], x.Grad!.Span.ToArray());
    }

    [Fact]
    public void ThreadsDoNotChangeBits()
    {
        int[] columns = Enumerable.Range(0, 3000 * 2).Select(i => i * 7 % 90).ToArray();
        ThreadChecks.SameBits(x => Op.PickColumns(x[0], columns), new Shape(3000, 90));
    }

    [Fact]
    public void WrongColumnsAreNamed()
    {
        Tensor x = new(new Shape(2, 3));
        Assert.Equal(
            "PickColumns: 3 columns cannot be shared evenly by the 2 rows of the input [2, 3].",
            Assert.Throws<ArgumentException>(() => Op.PickColumns(x, [0, 1, 2])).Message);
        Assert.Equal(
            "PickColumns: column 3 for row 1 is outside of the input [2, 3].",
            Assert.Throws<ArgumentException>(() => Op.PickColumns(x, [0, 3])).Message);
        Assert.Equal(
            "PickColumns: column -1 for row 0 is outside of the input [2, 3].",
            Assert.Throws<ArgumentException>(() => Op.PickColumns(x, [-1, 0])).Message);
    }
}
