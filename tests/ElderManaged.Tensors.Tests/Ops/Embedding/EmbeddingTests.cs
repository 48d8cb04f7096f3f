using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class EmbeddingTests
{
    private static OpCase EmbeddingCase => new("Embedding", random =>
    {
        int vocabulary = 1 + random.Next(9);
        int width = 1 + random.Next(40);
        int[] ids = Ids(random, random.Next(12) + 1, vocabulary);
        bool copy = random.Next(2) == 0;
        return new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(vocabulary, width))],
            Fast = x => copy ? Op.Embedding(x[0], ids.AsSpan()) : Op.Embedding(x[0], ids),
            Plain = x => RowsPlain.Gather(x[0], ids, width),
            PlainBackward = (_, dy) => [RowsPlain.Scatter(dy, ids, width, vocabulary)],
        };
    });

    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(EmbeddingCase);

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, EmbeddingCase);

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, EmbeddingCase, cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, EmbeddingCase, cases: 2);

    [Theory]
    [InlineData(5)]
    [InlineData(-1)]
    public void AnIdOutsideOfTheTableIsNamed(int id)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.Embedding(new Tensor(new Shape(5, 2)), [0, id]));
        Assert.Equal($"Embedding: id {id} at position 1 is outside of the table [5, 2]; ids go from 0 to 4.", error.Message);
    }

    [Fact]
    public void ATableMustBeAMatrix()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Op.Embedding(new Tensor(new Shape(5)), [0]));
        Assert.Contains("must be a matrix", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoIdsGiveNoRows() => Assert.Equal(new Shape(0, 3), Op.Embedding(new Tensor(new Shape(4, 3)), Array.Empty<int>()).Shape);

    [Fact]
    public void StepsAllocateNothing()
    {
        Tensor table = new(new Shape(7, 5)) { RequiresGrad = true };
        int[] ids = [3, 1, 3, 6];
        SteadyState.AllocatesNothing(() => Op.Embedding(table, ids));
    }

    internal static int[] Ids(RandomSource random, int count, int limit)
    {
        int[] ids = new int[count];
        for (int i = 0; i < count; i++)
        {
            ids[i] = random.Next(limit);
        }

        return ids;
    }
}
