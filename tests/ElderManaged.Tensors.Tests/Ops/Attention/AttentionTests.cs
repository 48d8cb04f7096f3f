using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class AttentionTests
{
    [Fact]
    public void ValueAndGradients() => OpChecks.Holds(new OpCase("Attention", random =>
    {
        int kvHeads = 1 + random.Next(3);
        int heads = kvHeads * (1 + random.Next(3));
        int width = random.Next(3) switch { 0 => 16, 1 => 1 + random.Next(9), _ => 17 + random.Next(60) };
        int count = 1 + random.Next(4);
        int[] lengths = new int[count];
        int[] pastLengths = new int[count];
        for (int s = 0; s < count; s++)
        {
            lengths[s] = random.Next(4) == 0 && s > 0 ? 0 : 1 + random.Next(7);
            pastLengths[s] = random.Next(2) == 0 ? 0 : random.Next(8);
        }

        SequenceLayout layout = new(lengths, pastLengths);
        KeyValueSegment?[] past = pastLengths.Select(p => p == 0 ? null : Segment(random, kvHeads * width, p + random.Next(2))).ToArray();
        AttentionPlain plain = new(heads, kvHeads, width, layout, past);
        return new OpInstance
        {
            Description = $"{heads} heads, {kvHeads} key/value heads",
            Inputs =
            [
                OpInput.Gaussian(random, new Shape(layout.Rows, heads * width)),
                OpInput.Gaussian(random, new Shape(layout.Rows, kvHeads * width)),
                OpInput.Gaussian(random, new Shape(layout.Rows, kvHeads * width)),
            ],
            Fast = x => Op.Attention(x[0], x[1], x[2], heads, kvHeads, layout, past),
            Plain = x => plain.Forward(x[0], x[1], x[2]),
            PlainBackward = (x, dy) => plain.Backward(x[0], x[1], x[2], dy),
        };
    }));

    [Theory]
    [InlineData(32)]
    [InlineData(13)]
    public void CachedPositionsGiveTheBitsOfTheFullPass(int width)
    {
        const int Heads = 4, KvHeads = 2, Length = 37;
        RandomSource random = new(3);
        Tensor q = LinearTests.Random(random, new Shape(Length, Heads * width));
        Tensor k = LinearTests.Random(random, new Shape(Length, KvHeads * width));
        Tensor v = LinearTests.Random(random, new Shape(Length, KvHeads * width));
        float[] full = Op.Attention(q, k, v, Heads, KvHeads, new SequenceLayout([Length])).Span.ToArray();
        foreach (int cut in new[] { 1, 5, 16, 36 })
        {
            KeyValueSegment cache = new(KvHeads * width);
            cache.Append(k.Span[..(cut * KvHeads * width)], v.Span[..(cut * KvHeads * width)]);
            Tensor rest = Op.Attention(
                Op.SliceRows(q, cut, Length - cut),
                Op.SliceRows(k, cut, Length - cut),
                Op.SliceRows(v, cut, Length - cut),
                Heads,
                KvHeads,
                new SequenceLayout([Length - cut], [cut]),
                [cache]);
            Assert.Equal(full[(cut * Heads * width)..], rest.Span.ToArray());
        }
    }

    [Fact]
    public void ASequenceDoesNotDependOnTheBatch()
    {
        const int Width = 24, Heads = 3;
        RandomSource random = new(4);
        SequenceLayout layout = new([5, 0, 11, 1, 18]);
        Tensor q = LinearTests.Random(random, new Shape(layout.Rows, Heads * Width));
        Tensor k = LinearTests.Random(random, q.Shape);
        Tensor v = LinearTests.Random(random, q.Shape);
        float[][] all = Threads.ValueAndGradients(() => Op.Attention(q, k, v, Heads, Heads, layout), q, k, v);
        for (int s = 0; s < layout.Count; s++)
        {
            int start = layout.Starts[s];
            int length = layout.Lengths[s];
            Tensor alone = Op.Attention(
                Op.SliceRows(q, start, length), Op.SliceRows(k, start, length), Op.SliceRows(v, start, length), Heads, Heads, new SequenceLayout([length]));
            Assert.Equal(all[0].AsSpan(start * Heads * Width, length * Heads * Width).ToArray(), alone.Span.ToArray());
        }
    }

    [Fact]
    public void ThreadsGiveTheSameBits()
    {
        const int Width = 32, Heads = 8;
        RandomSource random = new(5);
        SequenceLayout layout = new([15, 3, 40, 22, 1]);
        Tensor q = LinearTests.Random(random, new Shape(layout.Rows, Heads * Width));
        Tensor k = LinearTests.Random(random, new Shape(layout.Rows, 4 * Width));
        Tensor v = LinearTests.Random(random, k.Shape);
        Threads.GiveTheSameBits(() => Threads.ValueAndGradients(() => Op.Attention(q, k, v, Heads, 4, layout), q, k, v));
    }

    [Fact]
    public void StepsAllocateNothing()
    {
        RandomSource random = new(6);
        SequenceLayout layout = new([15, 30, 2], [0, 9, 0]);
        Tensor q = LinearTests.Random(random, new Shape(layout.Rows, 256));
        Tensor k = LinearTests.Random(random, q.Shape);
        Tensor v = LinearTests.Random(random, q.Shape);
        q.RequiresGrad = k.RequiresGrad = v.RequiresGrad = true;
        KeyValueSegment?[] past = [null, Segment(random, 256, 9), null];
        SteadyState.AllocatesNothing(() => Op.Attention(q, k, v, 8, 8, layout, past));
    }

    [Fact]
    public void WrongSizesAreNamed()
    {
        SequenceLayout layout = new([2, 1], [0, 4]);
        Tensor q = new(new Shape(3, 8));
        Tensor k = new(new Shape(3, 4));
        string Message(Tensor queries, Tensor keys, int heads, int kvHeads, params KeyValueSegment?[]? past) =>
            Assert.Throws<ArgumentException>(() => Op.Attention(queries, keys, keys, heads, kvHeads, layout, past)).Message;

        Assert.Equal("Attention: 3 key/value heads do not divide 4 query heads.", Message(q, k, 4, 3, null));
        Assert.Equal("Attention: the queries [2, 8] must be [3 rows of the layout, a multiple of 4 heads].", Message(new Tensor(new Shape(2, 8)), k, 4, 2, null));
        Assert.Equal("Attention: the keys and values [3, 4] must be [3, 8], 4 heads as wide as those of the queries [3, 8].", Message(q, k, 4, 4, null));
        Assert.Equal("Attention: 1 past segments were given for 2 sequences.", Message(q, k, 4, 2, [null]));
        Assert.Equal("Attention: sequence 1 needs 4 past positions of width 4, it has none.", Message(q, k, 4, 2, null));
        Assert.Equal(
            "Attention: sequence 1 needs 4 past positions of width 4, its segment holds 3 of width 4.",
            Message(q, k, 4, 2, null, Segment(new RandomSource(1), 4, 3)));
    }

    private static KeyValueSegment Segment(RandomSource random, int width, int length)
    {
        float[] keys = new float[width * length];
        float[] values = new float[width * length];
        random.FillGaussian(keys, 1);
        random.FillGaussian(values, 1);
        KeyValueSegment segment = new(width);
        segment.Append(keys, values);
        return segment;
    }
}
