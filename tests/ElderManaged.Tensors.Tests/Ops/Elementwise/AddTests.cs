using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class AddTests
{
    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(new OpCase("Add", random =>
    {
        Shape shape = new(1 + random.Next(5), 1 + random.Next(70));
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, shape), OpInput.Gaussian(random, shape)],
            Fast = x => Op.Add(x[0], x[1]),
            Plain = x => AddPlain.Forward(x[0], x[1]),
            PlainBackward = (_, dy) =>
            {
                (double[] da, double[] db) = AddPlain.Backward(dy);
                return [da, db];
            },
        };
    }));

    [Fact]
    public void DifferentShapesAreNamed()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.Add(new Tensor(new Shape(2, 3)), new Tensor(new Shape(3, 2))));
        Assert.Equal("Add: the shapes differ, left [2, 3], right [3, 2].", error.Message);
    }
}
