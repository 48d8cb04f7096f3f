using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

public sealed class AttentionTests
{
    [Fact]
    public void ValueAndGradients() =>
        OpChecks.Holds(new OpCase("Attention", random => Draw(random, random.Next(3) switch { 0 => 16, 1 => 1 + random.Next(9), _ => 17 + random.Next(60) }, 4, 7)));

    // One, two and three parts of the columns, blocks of rows that are not full, positions of past and rows in one block.
    [OpenCLFact]
    public void OnOpenCL() => OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Attention", random =>
        Draw(random, random.Next(4) switch { 0 => 16, 1 => 1 + random.Next(9), 2 => 129 + random.Next(140), _ => 17 + random.Next(112) }, 4, 85)), cases: 24);

    [Fact]
    public void InPtx() => OpChecks.HoldsOn(TestDevices.Ptx, new OpCase("Attention", random =>
        Draw(random, random.Next(4) switch { 0 => 16, 1 => 1 + random.Next(9), 2 => 129 + random.Next(128), _ => 17 + random.Next(112) }, 4, 45)), cases: 3);

    [Fact]
    public void OnTheSimulator() => OpChecks.HoldsOn(TestDevices.Simulator, new OpCase("Attention", random => Draw(random, 3, 1, 3)), cases: 1);

    private static OpInstance Draw(RandomSource random, int width, int maxCount, int maxLength)
    {
        int kvHeads = 1 + random.Next(3);
        int heads = kvHeads * (1 + random.Next(3));
        int count = 1 + random.Next(maxCount);
        int[] lengths = new int[count];
        int[] pastLengths = new int[count];
        for (int s = 0; s < count; s++)
        {
            lengths[s] = random.Next(4) == 0 && s > 0 ? 0 : 1 + random.Next(maxLength);
            pastLengths[s] = random.Next(2) == 0 ? 0 : random.Next(maxLength + 1);
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
    }

    // Several blocks of rows, several steps of positions, and every kind of head width; so many positions that blocks of rows are small.
    [Theory]
    [InlineData(2, 1, 64, 150, 0)]
    [InlineData(3, 3, 16, 210, 5)]
    [InlineData(2, 2, 48, 101, 70)]
    [InlineData(4, 2, 80, 67, 0)]
    [InlineData(1, 1, 128, 131, 40)]
    [InlineData(6, 2, 64, 1, 300)]
    [InlineData(2, 1, 250, 34, 31)]
    [InlineData(2, 1, 16, 70, 1000)]
    public void LongSequences(int heads, int kvHeads, int width, int length, int pastLength)
    {
        RandomSource random = new(11);
        SequenceLayout layout = new([length], [pastLength]);
        KeyValueSegment?[] past = [Segment(random, kvHeads * width, pastLength)];
        Tensor q = LinearTests.Random(random, new Shape(length, heads * width));
        Tensor k = LinearTests.Random(random, new Shape(length, kvHeads * width));
        Tensor v = LinearTests.Random(random, k.Shape);
        float[][] found = Threads.ValueAndGradients(() => Op.Attention(q, k, v, heads, kvHeads, layout, past), q, k, v);

        float[] dy = new float[q.Length];
        new RandomSource(99).FillGaussian(dy, 1);
        AttentionPlain plain = new(heads, kvHeads, width, layout, past);
        double[][] x = new[] { q, k, v }.Select(t => t.Span.ToArray().Select(e => (double)e).ToArray()).ToArray();
        double[][] gradients = plain.Backward(x[0], x[1], x[2], dy.Select(e => (double)e).ToArray());
        OpChecks.AssertClose(plain.Forward(x[0], x[1], x[2]), found[0], OpChecks.KernelTolerance, "value");
        for (int i = 0; i < 3; i++)
        {
            OpChecks.AssertClose(gradients[i], found[i + 1], OpChecks.KernelTolerance, $"gradient of input {i}");
        }
    }

    [Theory]
    [InlineData(SimdLevel.Vector256)]
    [InlineData(SimdLevel.Vector128)]
    [InlineData(SimdLevel.Scalar)]
    public void EverySimdLevelGivesTheSameBits(SimdLevel level)
    {
        const int Heads = 4, KvHeads = 2, Width = 40;
        RandomSource random = new(12);
        SequenceLayout layout = new([61, 1, 14], [0, 77, 3]);
        KeyValueSegment?[] past = [null, Segment(random, KvHeads * Width, 77), Segment(random, KvHeads * Width, 3)];
        Tensor q = LinearTests.Random(random, new Shape(layout.Rows, Heads * Width));
        Tensor k = LinearTests.Random(random, new Shape(layout.Rows, KvHeads * Width));
        Tensor v = LinearTests.Random(random, k.Shape);
        float[][] Compute() => Threads.ValueAndGradients(() => Op.Attention(q, k, v, Heads, KvHeads, layout, past), q, k, v);
        float[][] best = Compute();
        if (level <= Simd.Best)
        {
            using (Simd.Force(level))
            {
                Assert.Equal(best, Compute());
            }
        }
    }

    [Fact]
    public void HugeScoresDoNotOverflow()
    {
        const int Length = 20, Width = 32;
        RandomSource random = new(13);
        Tensor q = LinearTests.Random(random, new Shape(Length, Width));
        Tensor k = LinearTests.Random(random, q.Shape);
        Tensor v = LinearTests.Random(random, q.Shape);
        foreach (ref float x in q.Span)
        {
            x *= 1e17f;
        }

        foreach (ref float x in k.Span)
        {
            x *= 1e17f;
        }

        foreach (float[] values in Threads.ValueAndGradients(() => Op.Attention(q, k, v, 1, 1, new SequenceLayout([Length])), v))
        {
            Assert.All(values, x => Assert.True(float.IsFinite(x)));
        }
    }

    [Theory]
    [InlineData(float.NaN, 24)]
    [InlineData(float.PositiveInfinity, 24)]
    [InlineData(float.NegativeInfinity, 24)]
    [InlineData(float.NaN, 64)]
    [InlineData(float.PositiveInfinity, 64)]
    public void WhatIsNotFiniteReachesOnlyRowsThatSeeIt(float bad, int width)
    {
        const int Length = 29, At = 17;
        RandomSource random = new(14);
        Tensor q = LinearTests.Random(random, new Shape(Length, width));
        Tensor k = LinearTests.Random(random, q.Shape);
        Tensor v = LinearTests.Random(random, q.Shape);
        SequenceLayout layout = new([Length]);
        float[][] before = Threads.ValueAndGradients(() => Op.Attention(q, k, v, 1, 1, layout), q, k, v);
        v[At, 3] = bad;
        k[At, 5] = float.NaN;
        float[][] after = Threads.ValueAndGradients(() => Op.Attention(q, k, v, 1, 1, layout), q, k, v);

        // Values and gradients of queries: rows before it keep their bits, rows from it on are not numbers.
        foreach (int what in new[] { 0, 1 })
        {
            Assert.Equal(before[what].AsSpan(0, At * width).ToArray(), after[what].AsSpan(0, At * width).ToArray());
            Assert.All(after[what].AsSpan(At * width).ToArray(), x => Assert.True(float.IsNaN(x)));
        }

        // Keys and values: what only the bad rows see.
        Assert.All(after[3].AsSpan(At * width).ToArray(), x => Assert.True(float.IsNaN(x)));
    }

    [Theory]
    [InlineData(16)]
    [InlineData(64)]
    public void ABadLaterQueryDoesNotReachGradientsOfLaterPositions(int width)
    {
        const int Length = 30, At = 4;
        RandomSource random = new(15);
        Tensor q = LinearTests.Random(random, new Shape(Length, width));
        Tensor k = LinearTests.Random(random, q.Shape);
        Tensor v = LinearTests.Random(random, q.Shape);
        SequenceLayout layout = new([Length]);
        float[][] before = Threads.ValueAndGradients(() => Op.Attention(q, k, v, 1, 1, layout), q, k, v);
        q[At, 0] = float.NaN; // row At sees positions 0 … At only
        float[][] after = Threads.ValueAndGradients(() => Op.Attention(q, k, v, 1, 1, layout), q, k, v);
        foreach (int what in new[] { 2, 3 })
        {
            Assert.All(after[what].AsSpan(0, (At + 1) * width).ToArray(), x => Assert.True(float.IsNaN(x)));
            Assert.Equal(before[what].AsSpan((At + 1) * width).ToArray(), after[what].AsSpan((At + 1) * width).ToArray());
        }
    }

    [Fact]
    public void OneTokenAtATimeGivesTheBitsOfTheFullPass()
    {
        const int Heads = 6, KvHeads = 2, Width = 24, Length = 75;
        RandomSource random = new(16);
        Tensor q = LinearTests.Random(random, new Shape(Length, Heads * Width));
        Tensor k = LinearTests.Random(random, new Shape(Length, KvHeads * Width));
        Tensor v = LinearTests.Random(random, k.Shape);
        Tensor full = Op.Attention(q, k, v, Heads, KvHeads, new SequenceLayout([Length]));
        KeyValueSegment cache = new(KvHeads * Width);
        for (int t = 0; t < Length; t++)
        {
            Tensor row = Op.Attention(
                Op.SliceRows(q, t, 1), Op.SliceRows(k, t, 1), Op.SliceRows(v, t, 1), Heads, KvHeads, new SequenceLayout([1], [t]), [cache]);
            Assert.Equal(full.Row(t).ToArray(), row.Span.ToArray());
            cache.Append(k.Row(t), v.Row(t));
        }
    }

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
        foreach (int cut in new[] { 1, 5, 16, 28, 29, 34, 36 }) // 36 rows to 1; few of them are computed row by row
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

    // Many groups of heads, which go backward together, and one, whose heads each have a part of their own if there are threads for them.
    [Theory]
    [InlineData(4, 15, 3, 40, 22, 1)]
    [InlineData(1, 140)]
    public void ThreadsGiveTheSameBits(int kvHeads, params int[] lengths)
    {
        const int Width = 32, Heads = 8;
        RandomSource random = new(5);
        SequenceLayout layout = new(lengths);
        Tensor q = LinearTests.Random(random, new Shape(layout.Rows, Heads * Width));
        Tensor k = LinearTests.Random(random, new Shape(layout.Rows, kvHeads * Width));
        Tensor v = LinearTests.Random(random, k.Shape);
        Threads.GiveTheSameBits(() => Threads.ValueAndGradients(() => Op.Attention(q, k, v, Heads, kvHeads, layout), q, k, v));
    }

    // Few rows are read where they lie, many are copied together; one block of rows, several.
    [Theory]
    [InlineData(4, 30)]
    [InlineData(2, 30)]
    [InlineData(2, 133)]
    public void AGradientDoesNotDependOnWhichOthersAreWanted(int kvHeads, int length)
    {
        const int Heads = 4, Width = 16;
        RandomSource random = new(19);
        SequenceLayout layout = new([length]);
        Tensor[] inputs = [.. new[] { Heads, kvHeads, kvHeads }.Select(heads => LinearTests.Random(random, new Shape(length, heads * Width)))];
        float[][] Compute(params Tensor[] wanted)
        {
            foreach (Tensor input in inputs)
            {
                input.RequiresGrad = false;
            }

            return Threads.ValueAndGradients(() => Op.Attention(inputs[0], inputs[1], inputs[2], Heads, kvHeads, layout), wanted);
        }

        float[][] all = Compute(inputs);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(all[i + 1], Compute(inputs[i])[1]);
        }
    }

    // Gradients are set where they are the first ones and added to where they are not; x is queries, keys and values at once.
    [Theory]
    [InlineData(4, 12, 19)]
    [InlineData(2, 12, 19)]
    [InlineData(4, 64, 70)]
    [InlineData(2, 32, 70)]
    [InlineData(4, 32, 130)]
    public void GradientsAddUp(int kvHeads, int width, int length)
    {
        const int Heads = 4;
        RandomSource random = new(17);
        SequenceLayout layout = new([length]);
        Tensor q = LinearTests.Random(random, new Shape(length, Heads * width));
        Tensor k = LinearTests.Random(random, new Shape(length, kvHeads * width));
        Tensor other = LinearTests.Random(random, q.Shape);
        AttentionPlain plain = new(Heads, kvHeads, width, layout, null);
        double[] Wide(Tensor x) => [.. x.Span.ToArray().Select(e => (double)e)];
        float[][] found = Threads.ValueAndGradients(
            () => Op.Add(Op.Attention(q, k, k, Heads, kvHeads, layout), Op.Attention(other, k, k, Heads, kvHeads, layout)), q, k, other);
        float[] dy = new float[q.Length];
        new RandomSource(99).FillGaussian(dy, 1);
        double[] wideDy = [.. dy.Select(e => (double)e)];
        double[][] first = plain.Backward(Wide(q), Wide(k), Wide(k), wideDy);
        double[][] second = plain.Backward(Wide(other), Wide(k), Wide(k), wideDy);
        OpChecks.AssertClose(first[0], found[1], OpChecks.KernelTolerance, "gradient of the queries");
        OpChecks.AssertClose([.. first[1].Select((x, i) => x + first[2][i] + second[1][i] + second[2][i])], found[2], OpChecks.KernelTolerance, "gradient of keys and values");
        if (kvHeads == Heads)
        {
            found = Threads.ValueAndGradients(() => Op.Attention(q, q, q, Heads, kvHeads, layout), q);
            double[][] same = plain.Backward(Wide(q), Wide(q), Wide(q), wideDy);
            OpChecks.AssertClose([.. same[0].Select((x, i) => x + same[1][i] + same[2][i])], found[1], OpChecks.KernelTolerance, "gradient of all three");
        }
    }

    // Gradients are added where they are not the first ones; x is queries, keys and values at once.
    [OpenCLFact]
    public void GradientsAddUpOnOpenCL()
    {
        const int Heads = 2, Width = 20, Length = 37;
        RandomSource random = new(18);
        SequenceLayout layout = new([Length]);
        AttentionPlain plain = new(Heads, Heads, Width, layout, null);
        OpChecks.HoldsOn(TestDevices.OpenCL, new OpCase("Attention of one", random => new OpInstance
        {
            Inputs = [OpInput.Gaussian(random, new Shape(Length, Heads * Width))],
            Fast = x => Op.Attention(x[0], x[0], x[0], Heads, Heads, layout),
            Plain = x => plain.Forward(x[0], x[0], x[0]),
            PlainBackward = (x, dy) =>
            {
                double[][] parts = plain.Backward(x[0], x[0], x[0], dy);
                return [[.. parts[0].Select((d, i) => d + parts[1][i] + parts[2][i])]];
            },
        }), cases: 2);
    }

    // A row's bits do not depend on where in a block it lies, nor on whether earlier positions are past.
    [OpenCLFact]
    public void OneTokenAtATimeGivesTheBitsOfTheFullPassOnOpenCL()
    {
        // Alone, a row is computed 256 positions at a time.
        const int Heads = 4, KvHeads = 2, Width = 24, Length = 259;
        RandomSource random = new(16);
        Tensor q = LinearTests.Random(random, new Shape(Length, Heads * Width));
        Tensor k = LinearTests.Random(random, new Shape(Length, KvHeads * Width));
        Tensor v = LinearTests.Random(random, k.Shape);
        Tensor[] rows = [.. Enumerable.Range(0, 3 * Length).Select(i => new[] { q, k, v }[i % 3]).Select((x, i) => new Tensor(new Shape(1, x.Columns), x.Row(i / 3)))];
        foreach (Tensor x in rows.Concat([q, k, v]))
        {
            x.MoveTo(TestDevices.OpenCL!);
        }

        Tensor full = Op.Attention(q, k, v, Heads, KvHeads, new SequenceLayout([Length]));
        KeyValueSegment cache = new(KvHeads * Width);
        for (int t = 0; t < Length; t++)
        {
            if (t is < 5 or > 60 and < 70 or > 250)
            {
                Tensor row = Op.Attention(rows[3 * t], rows[(3 * t) + 1], rows[(3 * t) + 2], Heads, KvHeads, new SequenceLayout([1], [t]), [cache]);
                Assert.Equal(full.ReadOnlySpan.Slice(t * q.Columns, q.Columns).ToArray(), row.ReadOnlySpan.ToArray());
            }

            cache.Append(k, v, t, 1);
        }
    }

    [Fact]
    public void FewRowsAfterALongPastInPtx()
    {
        const int Heads = 2, Width = 10;
        RandomSource random = new(17);
        SequenceLayout layout = new([1, 3], [70, 0]);
        Tensor[] x = [.. Enumerable.Range(0, 3).Select(_ => LinearTests.Random(random, new Shape(layout.Rows, Heads * Width)))];
        KeyValueSegment?[] past = [Segment(random, Heads * Width, 70), null];
        float[] expected = Op.Attention(x[0], x[1], x[2], Heads, Heads, layout, past).ReadOnlySpan.ToArray();
        Array.ForEach(x, one => one.MoveTo(TestDevices.Ptx));
        float[] actual = Op.Attention(x[0], x[1], x[2], Heads, Heads, layout, past).ReadOnlySpan.ToArray();
        Assert.All(actual.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-5f));
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

    // The pages of two batches lie between each other, some are given back, and the memory of all of them moves when it grows.
    [OpenCLFact]
    public void OnOpenCLPagesOfManySequencesKeepTheirPositionsWhenTheirMemoryMoves()
    {
        const int KvHeads = 2, Width = 8, Sequences = 9;
        RandomSource random = new(19);
        using Device device = TestDevices.NewOpenCL();
        int[] pastLengths = [.. Enumerable.Range(0, Sequences).Select(_ => 1 + random.Next(150))];
        SequenceLayout layout = new([.. pastLengths.Select(_ => 1)], pastLengths);
        KeyValueSegment[] home = [.. pastLengths.Select(length => Segment(random, KvHeads * Width, length))];
        KeyValueSegment[] there = [.. pastLengths.Select(_ => new KeyValueSegment(KvHeads * Width))];
        for (int position = 0; position < pastLengths.Max(); position++)
        {
            for (int s = 0; s < Sequences; s++)
            {
                if (position < pastLengths[s])
                {
                    Tensor Row(Func<int, float> value)
                    {
                        Tensor row = new(new Shape(1, KvHeads * Width), [.. Enumerable.Range(0, KvHeads * Width).Select(value)]);
                        row.MoveTo(device);
                        return row;
                    }

                    there[s].Append(Row(c => home[s].Key(position, c)), Row(c => home[s].Value(position, c)), 0, 1);
                }
            }
        }

        there[0] = there[0].Prefix(pastLengths[0], room: 70);
        Tensor q = LinearTests.Random(random, new Shape(Sequences, KvHeads * Width)), k = LinearTests.Random(random, q.Shape), v = LinearTests.Random(random, q.Shape);
        float[] expected = Op.Attention(q, k, v, KvHeads, KvHeads, layout, home).ReadOnlySpan.ToArray();
        q.MoveTo(device);
        OpChecks.AssertClose(Array.ConvertAll(expected, x => (double)x), Op.Attention(q, k, v, KvHeads, KvHeads, layout, there).ReadOnlySpan, OpChecks.KernelTolerance, "value");
        for (int s = 0; s < Sequences; s++)
        {
            Assert.Equal(home[s].Value(pastLengths[s] - 1, 3), there[s].Value(pastLengths[s] - 1, 3));
        }
    }
}
