namespace ElderManaged.Tensors.Tests.Storage;

public sealed class ProductLogTests
{
    [Fact]
    public void NotesTheProductsOfItsTimeAndDoesThemAgain()
    {
        FrozenMatrix a = FrozenMatrix.FromDense(new float[6], 2, 3), b = FrozenMatrix.FromDense(new float[20], 4, 5);
        float[] x = new float[64], y = new float[64];
        a.Multiply(x, 1, y);
        ProductLog log;
        using (log = ProductLog.Start())
        {
            a.Multiply(x, 7, y);
            b.MultiplyTransposed(x, 3, y, accumulate: true);
            a.Multiply(x, 0, y);
            Assert.Throws<InvalidOperationException>(ProductLog.Start);
        }

        b.Multiply(x, 1, y);
        Assert.Equal(2, log.Count);
        Assert.Equal((2 * 7 * 6) + (2 * 3 * 20), log.Operations);
        Assert.Equal([a, b], log.Matrices);
        log.Replay();
        Assert.Equal(2, log.Count);
    }

    [Fact]
    public void LossesCountAsTwoProductsThatReadTheWeightOnce()
    {
        FrozenMatrix weight = FrozenMatrix.FromDense(new float[20], 4, 5);
        Tensor x = new(new Shape(3, 5)) { RequiresGrad = true };
        using ProductLog log = ProductLog.Start();
        using (Tape tape = Tape.Start())
        {
            tape.Backward(Op.Sum(Op.LinearCrossEntropy(x, weight, [1, 2, 3])));
        }

        Assert.Equal(2 * 2 * 3 * 20, log.Operations);
        Assert.Equal(20, log.Weights);
        log.Dispose();
        log.Replay();
    }
}
