using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

[Collection(CpuThreadsCollection.Name)]
public sealed class KeyValueSegmentTests
{
    // Pieces that begin and end inside panels and at their borders, with and without room from the start.
    [Theory]
    [InlineData(1, 0)]
    [InlineData(7, 0)]
    [InlineData(24, 100)]
    [InlineData(48, 0)]
    public void HoldsWhatWasAppendedInPieces(int width, int capacity)
    {
        int[] pieces = [3, 1, 29, 16, 15, 1, 70, 5];
        (float[] keys, float[] values) = Rows(width, pieces.Sum());
        KeyValueSegment segment = new(width, capacity);
        int done = 0;
        foreach (int count in pieces)
        {
            segment.Append(keys.AsSpan(done * width, count * width), values.AsSpan(done * width, count * width));
            done += count;
            AssertHolds(segment, done, keys, values);
        }
    }

    // So many numbers that threads share them; columns do not divide evenly.
    [Fact]
    public void ManyThreadsAppendWhatOneAppends()
    {
        const int Width = 1010;
        (float[] keys, float[] values) = Rows(Width, 60);
        int before = CpuThreads.Count;
        try
        {
            foreach (int threads in new[] { 1, 2, 3 })
            {
                CpuThreads.Count = threads;
                KeyValueSegment segment = new(Width);
                segment.Append(keys.AsSpan(0, 9 * Width), values.AsSpan(0, 9 * Width));
                segment.Append(keys.AsSpan(9 * Width, 51 * Width), values.AsSpan(9 * Width, 51 * Width));
                AssertHolds(segment, 60, keys, values);
            }
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    [Fact]
    public void APrefixGrowsOnItsOwn()
    {
        const int Width = 6;
        (float[] keys, float[] values) = Rows(Width, 80);
        KeyValueSegment segment = new(Width);
        segment.Append(keys.AsSpan(0, 50 * Width), values.AsSpan(0, 50 * Width));
        KeyValueSegment copy = segment.Prefix(40, room: 3);
        copy.Append(keys.AsSpan(60 * Width, 20 * Width), values.AsSpan(60 * Width, 20 * Width));
        AssertHolds(segment, 50, keys, values);
        Assert.Equal(60, copy.Length);
        Assert.Equal(keys[39 * Width], copy.Key(39, 0));
        Assert.Equal(keys[(60 * Width) + 5], copy.Key(40, 5));
        Assert.Equal(values[(79 * Width) + 1], copy.Value(59, 1));
    }

    [Fact]
    public void TruncatedPositionsAreReplaced()
    {
        const int Width = 5;
        (float[] keys, float[] values) = Rows(Width, 40);
        KeyValueSegment segment = new(Width);
        segment.Append(values, keys);
        segment.Truncate(0);
        segment.Append(keys, values);
        AssertHolds(segment, 40, keys, values);
        segment.Truncate(33);
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.Key(33, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.Truncate(34));
    }

    // A segment may hold more positions than a call uses; whatever they are, they must not be felt.
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(14)]
    public void PositionsBehindThoseInUseAreNotFelt(int length)
    {
        const int Heads = 2, Width = 20, Past = 37;
        RandomSource random = new(21);
        (float[] keys, float[] values) = Rows(Heads * Width, Past + 40);
        KeyValueSegment exact = new(Heads * Width);
        exact.Append(keys.AsSpan(0, Past * Heads * Width), values.AsSpan(0, Past * Heads * Width));
        keys.AsSpan(Past * Heads * Width).Fill(float.NaN);
        values.AsSpan(Past * Heads * Width).Fill(float.NaN);
        KeyValueSegment more = new(Heads * Width);
        more.Append(keys, values);
        SequenceLayout layout = new([length], [Past]);
        Tensor q = LinearTests.Random(random, new Shape(length, Heads * Width));
        Tensor k = LinearTests.Random(random, q.Shape);
        Tensor v = LinearTests.Random(random, q.Shape);
        float[][] expected = Threads.ValueAndGradients(() => Op.Attention(q, k, v, Heads, Heads, layout, [exact]), q, k, v);
        float[][] found = Threads.ValueAndGradients(() => Op.Attention(q, k, v, Heads, Heads, layout, [more]), q, k, v);
        Assert.Equal(expected, found);
        Assert.All(found, x => Assert.All(x, e => Assert.True(float.IsFinite(e))));
    }

    // Appended on the device and on the host in turn, cut, copied: the host finds all of it.
    [OpenCLFact]
    public void PositionsOfADeviceComeHomeFromOpenCL()
    {
        using Device device = TestDevices.NewOpenCL(); // of its own: others would be counted too
        const int Width = 6;
        (float[] keys, float[] values) = Rows(Width, 80);
        Tensor k = new(new Shape(80, Width), keys), v = new(new Shape(80, Width), values);
        k.MoveTo(device);
        v.MoveTo(device);
        KeyValueSegment segment = new(Width);
        segment.Append(k, v, 0, 7);
        segment.Append(k, v, 7, 30);
        long downloads = device.Transfers.Downloads;
        KeyValueSegment copy = segment.Prefix(33, room: 2);
        copy.Append(k, v, 33, 20);
        Assert.Equal(downloads, device.Transfers.Downloads);
        AssertHolds(copy, 53, keys, values);
        copy.Append(keys.AsSpan(53 * Width, 7 * Width), values.AsSpan(53 * Width, 7 * Width));
        copy.Append(k, v, 60, 10);
        AssertHolds(copy, 70, keys, values);
        copy.Truncate(35);
        copy.Append(k, v, 35, 45);
        AssertHolds(copy, 80, keys, values);
        AssertHolds(segment, 37, keys, values);
        Assert.Equal(keys, k.ReadOnlySpan.ToArray());
        Assert.Throws<ArgumentException>(() => copy.Append(k, v, 75, 6));
    }

    [Fact]
    public void AppendingIntoRoomAllocatesNothing()
    {
        const int Width = 64;
        (float[] keys, float[] values) = Rows(Width, 1);
        KeyValueSegment segment = new(Width, capacity: 100);
        AllocationCheck.AllocatesNothing(() =>
        {
            if (segment.Length == 100)
            {
                segment.Truncate(0);
            }

            segment.Append(keys, values);
        });
        Assert.Equal(2L * sizeof(float) * 128 * Width, segment.Bytes);
    }

    private static (float[] Keys, float[] Values) Rows(int width, int count)
    {
        RandomSource random = new(20);
        float[] keys = new float[width * count];
        float[] values = new float[width * count];
        random.FillGaussian(keys, 1);
        random.FillGaussian(values, 1);
        return (keys, values);
    }

    private static void AssertHolds(KeyValueSegment segment, int length, float[] keys, float[] values)
    {
        Assert.Equal(length, segment.Length);
        for (int p = 0; p < length; p++)
        {
            for (int c = 0; c < segment.Width; c++)
            {
                Assert.Equal(keys[(p * segment.Width) + c], segment.Key(p, c));
                Assert.Equal(values[(p * segment.Width) + c], segment.Value(p, c));
            }
        }
    }
}
