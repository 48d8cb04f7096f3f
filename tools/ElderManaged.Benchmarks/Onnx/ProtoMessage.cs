using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace ElderManaged.Benchmarks.Onnx;

/// <summary>
/// A message in the wire format of Protocol Buffers (protobuf.dev, "Encoding"), as much of it as an ONNX model needs: every
/// field is a key (number·8 + wire type) followed by a variable-length integer, four bytes, or a length and that many bytes.
/// </summary>
/// <remarks>Weights are not copied until <see cref="ToArray"/>: a message is a list of pieces.</remarks>
internal sealed class ProtoMessage
{
    private const int Varint = 0, LengthDelimited = 2, Fixed32 = 5;
    private readonly List<Piece> pieces = [];

    /// <summary>The size in bytes.</summary>
    public long Length { get; private set; }

    public ProtoMessage Integer(int field, long value) => Key(field, Varint).Number((ulong)value);

    public ProtoMessage Float(int field, float value)
    {
        byte[] bytes = new byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        return Key(field, Fixed32).Add(new Piece(bytes, default));
    }

    public ProtoMessage Text(int field, string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        return Key(field, LengthDelimited).Number((ulong)bytes.Length).Add(new Piece(bytes, default));
    }

    /// <summary>The bytes of the numbers, little-endian as every machine that runs this stores them.</summary>
    public ProtoMessage Raw(int field, ReadOnlyMemory<float> values) =>
        Key(field, LengthDelimited).Number((ulong)values.Length * sizeof(float)).Add(new Piece([], values));

    public ProtoMessage Raw(int field, ReadOnlySpan<long> values) =>
        Key(field, LengthDelimited).Number((ulong)values.Length * sizeof(long)).Add(new Piece(MemoryMarshal.AsBytes(values).ToArray(), default));

    public ProtoMessage Message(int field, ProtoMessage value)
    {
        Key(field, LengthDelimited).Number((ulong)value.Length);
        pieces.AddRange(value.pieces);
        Length += value.Length;
        return this;
    }

    /// <summary>The whole message.</summary>
    public byte[] ToArray()
    {
        byte[] all = new byte[checked((int)Length)];
        int at = 0;
        foreach (Piece piece in pieces)
        {
            ReadOnlySpan<byte> bytes = piece.Floats.IsEmpty ? piece.Bytes : MemoryMarshal.AsBytes(piece.Floats.Span);
            bytes.CopyTo(all.AsSpan(at));
            at += bytes.Length;
        }

        return all;
    }

    private ProtoMessage Key(int field, int wireType) => Number(((ulong)field << 3) | (uint)wireType);

    // Seven bits a byte, least significant first; the high bit says that more follow.
    private ProtoMessage Number(ulong value)
    {
        Span<byte> bytes = stackalloc byte[10];
        int count = 0;
        for (; value >= 0x80; value >>= 7)
        {
            bytes[count++] = (byte)(value | 0x80);
        }

        bytes[count++] = (byte)value;
        return Add(new Piece(bytes[..count].ToArray(), default));
    }

    private ProtoMessage Add(Piece piece)
    {
        pieces.Add(piece);
        Length += piece.Bytes.Length + ((long)piece.Floats.Length * sizeof(float));
        return this;
    }

    private readonly record struct Piece(byte[] Bytes, ReadOnlyMemory<float> Floats);
}
