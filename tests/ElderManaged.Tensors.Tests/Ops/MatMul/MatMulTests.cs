using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class MatMulTests
{
    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(new OpCase("MatMul", random => Draw(random, 20)));

    // Several tiles and chains in every direction; every few cases one to four rows.
    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("MatMul", random => Draw(random, random.Next(3) == 0 ? 5 : 160)), cases: 16);

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("MatMul", random => Draw(random, random.Next(3) == 0 ? 5 : 160)), cases: 3);

    [OpenCLFact]
    public void OnOpenCLAFewRowsOfALongSum() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("MatMul", random => Draw(random, 300, most: 4)), cases: 16);

    [Fact]
    public void InPtxAFewRowsOfALongSum() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("MatMul", random => Draw(random, 300, most: 4)), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("MatMul", random => Draw(random, 20)), cases: 1);

    private static OpInstance Draw(RandomSource random, int limit, int most = 12)
    {
        (int m, int n, int k) = (1 + random.Next(Math.Max(most, most < 12 ? 0 : limit * 3 / 5)), 1 + random.Next(limit), 1 + random.Next(limit));
        (int outer, int inner, int rank) = (1 + random.Next(3), 1 + random.Next(3), 2 + random.Next(3));
        int batch = rank == 2 ? 1 : rank == 3 ? inner : outer * inner;
        bool transposeA = random.Next(2) == 0;
        bool transposeB = random.Next(2) == 0;
        Shape Sizes(int rows, int columns) => rank switch
        {
            2 => new Shape(rows, columns),
            3 => new Shape(inner, rows, columns),
            _ => new Shape(outer, inner, rows, columns),
        };
        return new OpInstance
        {
            Description = $"transposed {transposeA}, {transposeB}",
            Inputs =
            [
                OpInput.Gaussian(random, transposeA ? Sizes(k, m) : Sizes(m, k)),
                OpInput.Gaussian(random, transposeB ? Sizes(n, k) : Sizes(k, n)),
            ],
            Fast = x => Op.MatMul(x[0], x[1], transposeA, transposeB),
            Plain = x => MatMulPlain.Forward(x[0], x[1], batch, m, n, k, transposeA, transposeB),
            PlainBackward = (x, dy) =>
            {
                (double[] da, double[] db) = MatMulPlain.Backward(x[0], x[1], dy, batch, m, n, k, transposeA, transposeB);
                return [da, db];
            },
        };
    }

    [Fact]
    public void TheResultKeepsLeadingDimensions() =>
        Assert.Equal(new Shape(2, 3, 4, 6), Op.MatMul(new Tensor(new Shape(2, 3, 4, 5)), new Tensor(new Shape(2, 3, 5, 6))).Shape);

    [Fact]
    public void DifferentInnerSizesAreNamedWithAHint()
    {
        static string Message(Shape a, Shape b, bool transposeB = false) =>
            Assert.Throws<ArgumentException>(() => Op.MatMul(new Tensor(a), new Tensor(b), transposeB: transposeB)).Message;

        Assert.Equal(
            "MatMul: inner sizes differ, left [8, 768], right [512, 768]. Did you mean transposeB: true?",
            Message(new Shape(8, 768), new Shape(512, 768)));
        Assert.Equal(
            "MatMul: inner sizes differ, left [8, 7], right [7, 6] transposed. Did you mean transposeB: false?",
            Message(new Shape(8, 7), new Shape(7, 6), transposeB: true));
        Assert.Equal(
            "MatMul: inner sizes differ, left [8, 7], right [8, 6]. Did you mean transposeA: true?",
            Message(new Shape(8, 7), new Shape(8, 6)));
        Assert.Equal("MatMul: inner sizes differ, left [8, 7], right [5, 6].", Message(new Shape(8, 7), new Shape(5, 6)));
        Assert.Equal("MatMul: the leading dimensions differ, left [2, 8, 7], right [3, 7, 6].", Message(new Shape(2, 8, 7), new Shape(3, 7, 6)));
        Assert.Equal(
            "MatMul: both must be matrices, or have the same leading dimensions; left [2, 8, 7], right [7, 6].",
            Message(new Shape(2, 8, 7), new Shape(7, 6)));
    }
}
