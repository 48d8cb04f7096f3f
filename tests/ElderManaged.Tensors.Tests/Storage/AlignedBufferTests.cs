namespace ElderManaged.Tensors.Tests.Storage;

public sealed unsafe class AlignedBufferTests
{
    [Theory]
    [InlineData(0, 64)]
    [InlineData(1_000, 64)]
    [InlineData(524_287, 64)]
    [InlineData(524_288, 2 << 20)] // a huge page
    [InlineData(3_000_001, 2 << 20)]
    public void BeginsOnACacheLineOrWhereAHugePageMay(int length, int alignment)
    {
        using AlignedBuffer buffer = new(length);
        Assert.Equal(length, buffer.Length);
        Assert.Equal(0, (nint)buffer.Pointer % alignment);
        new Span<float>(buffer.Pointer, length).Fill(3);
        Assert.Equal(-1, new ReadOnlySpan<float>(buffer.Pointer, length).IndexOfAnyExcept(3f));
    }
}
