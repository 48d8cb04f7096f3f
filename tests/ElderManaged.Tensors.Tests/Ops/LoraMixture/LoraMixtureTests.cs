using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class LoraMixtureTests
{
    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(new OpCase("LoraMixture", random => Draw(random)));

    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("LoraMixture", random => Draw(random)), cases: 24);

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("LoraMixture", random => Draw(random)), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("LoraMixture", random => Draw(random, widest: 5)), cases: 1);

    private static OpInstance Draw(RandomSource random, int widest = 300)
    {
        (int count, int rank, int k) = (2 + random.Next(4), 1 + random.Next(6), 1 + random.Next(2));
        (int input, int output) = (1 + random.Next(Math.Min(80, widest)), 1 + random.Next(widest));
        bool adds = random.Next(2) == 0;
        LoraAllocation allocation = Allocation(random, 1 + random.Next(4), count, k, random.Next(7) == 0 ? 40 : 5);
        int rows = allocation.RowOwner.Length;
        float scale = 0.5f + random.NextFloat();
        LoraMixturePlain plain = new(rank, input, output, allocation, scale);
        OpInput[] inputs =
        [
            OpInput.Gaussian(random, new Shape(rows, input)),
            OpInput.Gaussian(random, new Shape(count, rank, input)),
            OpInput.Gaussian(random, new Shape(count, rank, output)),
            OpInput.Gaussian(random, new Shape(allocation.Sequences, k)),
            OpInput.Gaussian(random, new Shape(rows, output)),
        ];
        return new OpInstance
        {
            Description = $"k {k}, adds {adds}",
            Inputs = adds ? inputs : inputs[..4],
            Fast = x => Op.LoraMixture(x[0], x[1], x[2], x[3], allocation, scale, adds ? x[4] : null),
            Plain = x => plain.Forward(x[0], x[1], x[2], x[3], adds ? x[4] : null),
            PlainBackward = (x, dy) =>
            {
                double[][] gradients = plain.Backward(x[0], x[1], x[2], x[3], dy);
                return adds ? [.. gradients, dy] : gradients;
            },
        };
    }

    [Fact]
    public void ARowDoesNotDependOnOtherRowsAndOneWithoutLoraKeepsItsBits()
    {
        RandomSource random = new(2);
        Setup s = new(random, new LoraAllocation([0, 2, 3, 1], 2, [-1, 0, 0, 0, 1, 1, -1, 0]));
        float[] all = s.Run().Span.ToArray();
        for (int r = 0; r < 8; r++)
        {
            int owner = s.Allocation.RowOwner[r];
            LoraAllocation alone = new([0, 2, 3, 1], 2, [owner]);
            Tensor one = Op.LoraMixture(Op.SliceRows(s.X, r, 1), s.A, s.B, s.Weights, alone, 0.7f, Op.SliceRows(s.Base, r, 1));
            Assert.Equal(all.AsSpan(r * 301, 301).ToArray(), one.Span.ToArray());
            if (owner < 0)
            {
                Assert.Equal(s.Base.Row(r).ToArray(), one.Span.ToArray());
            }
        }
    }

    [Fact]
    public void UnselectedLorasGetNoGradient()
    {
        Setup s = new(new RandomSource(3), new LoraAllocation([0, 2], 2, [0, 0, -1]));
        float[][] results = Threads.ValueAndGradients(s.Run, s.X, s.A, s.B);
        int width = s.A.Shape[1] * s.A.Columns;
        Assert.All(results[2].Skip(width).Take(width).Concat(results[2].Skip(3 * width)), v => Assert.Equal(0, v));
        Assert.All(results[2].Skip(2 * width).Take(width), v => Assert.NotEqual(0, v));
        Assert.All(results[1].Skip(2 * s.X.Columns), v => Assert.Equal(0, v));
    }

    [Fact]
    public void ThreadsGiveTheSameBits()
    {
        RandomSource random = new(4);
        Setup s = new(random, Allocation(random, 9, 4, 2, 30));
        Threads.GiveTheSameBits(() => Threads.ValueAndGradients(s.Run, s.X, s.A, s.B, s.Weights, s.Base));
    }

    [Fact]
    public void StepsAllocateNothing()
    {
        RandomSource random = new(5);
        Setup s = new(random, Allocation(random, 6, 4, 2, 20));
        s.X.RequiresGrad = s.A.RequiresGrad = s.B.RequiresGrad = s.Weights.RequiresGrad = true;
        SteadyState.AllocatesNothing(s.Run);
    }

    [Fact]
    public void WrongSizesAreNamed()
    {
        LoraAllocation allocation = new([0, 2], 2, [0, 0, -1]);
        string Message(Shape x, Shape a, Shape b, Shape weights, Shape addTo) => Assert.Throws<ArgumentException>(() => Op.LoraMixture(
            new Tensor(x), new Tensor(a), new Tensor(b), new Tensor(weights), allocation, 1, new Tensor(addTo))).Message;
        Shape x = new(3, 5), a = new(4, 2, 5), b = new(4, 2, 6), w = new(1, 2), y = new(3, 6);
        Assert.Equal("LoraMixture: A [4, 2, 5] must be [N, r, in] and B [4, 3, 6] [N, r, out] with the same N and r.", Message(x, a, new Shape(4, 3, 6), w, y));
        Assert.Equal("LoraMixture: the input [2, 5] must be [3 rows of the allocation, 5 inputs of A].", Message(new Shape(2, 5), a, b, w, y));
        Assert.Equal("LoraMixture: the weights [2, 2] must be [1 sequences, 2 LoRAs each].", Message(x, a, b, new Shape(2, 2), y));
        Assert.Equal("LoraMixture: the allocation uses LoRA 2, A [2, 2, 5] has 2 of them.", Message(x, new Shape(2, 2, 5), new Shape(2, 2, 6), w, y));
        Assert.Equal("LoraMixture: the tensor to add to [3, 5] must be [3, 6].", Message(x, a, b, w, x));
    }

    [Fact]
    public void WrongAllocationsAreNamed()
    {
        static string Message(int[] indices, int k, params int[] owners) =>
            Assert.Throws<ArgumentException>(() => new LoraAllocation(indices, k, owners)).Message;
        Assert.Equal("LoraAllocation: 3 indices are not a multiple of k = 2.", Message([0, 1, 2], 2, 0));
        Assert.Equal("LoraAllocation: sequence 1 uses LoRA 3 twice.", Message([0, 1, 3, 3], 2, 0));
        Assert.Equal("LoraAllocation: the LoRA -1 of sequence 0 is negative.", Message([0, -1], 2, 0));
        Assert.Equal("LoraAllocation: row 1 belongs to sequence 1; there are 1, and −1 for none.", Message([0, 1], 2, 0, 1));
    }

    private static LoraAllocation Allocation(RandomSource random, int sequences, int count, int k, int longest)
    {
        List<int> indices = [];
        List<int> owners = [];
        for (int s = 0; s < sequences; s++)
        {
            int[] order = Enumerable.Range(0, count).ToArray();
            random.Shuffle<int>(order);
            indices.AddRange(order[..k]);
            owners.AddRange(Enumerable.Repeat(random.Next(4) == 0 ? -1 : s, 1 + random.Next(longest)));
        }

        return new LoraAllocation([.. indices], k, [.. owners]);
    }

    private sealed record Setup(LoraAllocation Allocation, Tensor X, Tensor A, Tensor B, Tensor Weights, Tensor Base)
    {
        public Setup(RandomSource random, LoraAllocation allocation)
            : this(
                allocation,
                LinearTests.Random(random, new Shape(allocation.RowOwner.Length, 270)),
                LinearTests.Random(random, new Shape(4, 3, 270)),
                LinearTests.Random(random, new Shape(4, 3, 301)),
                LinearTests.Random(random, new Shape(allocation.Sequences, 2)),
                LinearTests.Random(random, new Shape(allocation.RowOwner.Length, 301)))
        {
        }

        public Tensor Run() => Op.LoraMixture(X, A, B, Weights, Allocation, 0.7f, Base);
    }
}
