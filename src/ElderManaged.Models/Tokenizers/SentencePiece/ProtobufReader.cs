using System.Buffers.Binary;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Reads the fields of one Protocol Buffers message: a number and a wire type, then a varint, four or eight bytes, or a
/// length with so many bytes. https://protobuf.dev/programming-guides/encoding/
/// </summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, string source, long offset = 0)
{
    private readonly ReadOnlySpan<byte> _message = message;
    private int _at;
    private int _wireType;

    /// <summary>Number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>Where the current field begins in the file.</summary>
    public readonly long Position => offset + _at;

    /// <summary>Goes to the next field; false at the end.</summary>
    public bool Next()
    {
        if (_at == _message.Length)
        {
            return false;
        }

        ulong key = Varint();
        (Field, _wireType) = ((int)Math.Min(key >> 3, int.MaxValue), (int)(key & 7));
        return Field > 0 ? true : throw Error("there is no field 0");
    }

    public long Integer()
    {
        Require(0);
        return (long)Varint();
    }

    public bool Boolean() => Integer() != 0;

    public float Float()
    {
        Require(5);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    public string Text()
    {
        ReadOnlySpan<byte> bytes = Bytes();
        try
        {
            return Utf8.GetString(bytes);
        }
        catch (ArgumentException exception)
        {
            throw Error($"field {Field} is no valid UTF-8", exception);
        }
    }

    public ReadOnlySpan<byte> Bytes()
    {
        Require(2);
        ulong length = Varint();
        return length <= (ulong)(_message.Length - _at)
            ? Take((int)length)
            : throw Error($"field {Field} says it has {length} bytes, but {_message.Length - _at} are left");
    }

    /// <summary>The current field as a message of its own.</summary>
    public ProtobufReader Message()
    {
        ReadOnlySpan<byte> bytes = Bytes();
        return new ProtobufReader(bytes, source, Position - bytes.Length);
    }

    public void Skip()
    {
        switch (_wireType)
        {
            case 0:
                Varint();
                break;
            case 1:
                Take(8);
                break;
            case 2:
                Bytes();
                break;
            case 5:
                Take(4);
                break;
            default:
                throw Error($"field {Field} has the wire type {_wireType}, which this format does not use");
        }
    }

    private static readonly System.Text.UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_at == _message.Length)
            {
                throw Error("it ends in the middle of a number");
            }

            byte b = _message[_at++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw Error("a number has more than ten bytes");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _message.Length - _at)
        {
            throw Error($"it ends in the middle of field {Field}");
        }

        _at += length;
        return _message.Slice(_at - length, length);
    }

    private readonly void Require(int wireType)
    {
        if (_wireType != wireType)
        {
            throw Error($"field {Field} has the wire type {_wireType}, expected {wireType}");
        }
    }

    private readonly InvalidDataException Error(string what, Exception? inner = null) =>
        new($"{source}, byte {Position}: {what}; is this a SentencePiece model, completely copied?", inner);
}
