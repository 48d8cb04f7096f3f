using ElderManaged.Benchmarks.Onnx;

namespace ElderManaged.Benchmarks.Tests.Onnx;

public sealed class ProtoMessageTests
{
    [Theory]
    [InlineData(0, new byte[] { 0x08, 0x00 })]
    [InlineData(127, new byte[] { 0x08, 0x7f })]
    [InlineData(150, new byte[] { 0x08, 0x96, 0x01 })] // the example of the format's documentation
    [InlineData(-1, new byte[] { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 })]
    public void IntegersAreSevenBitsAByte(long value, byte[] expected) =>
        Assert.Equal(expected, new ProtoMessage().Integer(1, value).ToArray());

    [Fact]
    public void TextHasItsLengthInBytesNotCharacters() =>
        Assert.Equal([0x12, 0x03, (byte)'a', 0xc3, 0xa9], new ProtoMessage().Text(2, "aé").ToArray());

    [Fact]
    public void AFieldBeyondFifteenNeedsTwoBytesOfKey() =>
        Assert.Equal([0xa0, 0x01, 0x07], new ProtoMessage().Integer(20, 7).ToArray());

    [Fact]
    public void FloatsAreFourBytesAloneAndPackedInRaw()
    {
        Assert.Equal([0x15, 0x00, 0x00, 0x80, 0x3f], new ProtoMessage().Float(2, 1f).ToArray());
        Assert.Equal([0x4a, 0x08, 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0], new ProtoMessage().Raw(9, new float[] { 1, -2 }).ToArray());
    }

    [Fact]
    public void NestedMessagesCarryTheirLength()
    {
        ProtoMessage inner = new ProtoMessage().Integer(1, 150);
        ProtoMessage outer = new ProtoMessage().Message(3, inner);
        Assert.Equal([0x1a, 0x03, 0x08, 0x96, 0x01], outer.ToArray());
        Assert.Equal(5, outer.Length);
    }
}
