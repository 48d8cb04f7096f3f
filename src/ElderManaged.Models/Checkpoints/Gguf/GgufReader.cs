using System.Buffers.Binary;

namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>Reads the values of a GGUF header in order. Every length is compared with the file before anything is taken or skipped.</summary>
internal sealed class GgufReader(ByteSource source, long position = 0)
{
    private const int BufferBytes = 1 << 14;
    private readonly byte[] _buffer = new byte[Math.Min(BufferBytes, Math.Max(source.Length, 16))];
    private long _bufferStart;
    private int _buffered;

    /// <summary>Where the next value starts, counted from the start of the file.</summary>
    public long Position { get; private set; } = position;

    public long Remaining => source.Length - Position;

    public byte UInt8(string what) => Take(1, what)[0];

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A number of things of at least <paramref name="leastBytes"/> each, of which there must be room in the file.</summary>
    public long Count(string what, int leastBytes, long most)
    {
        ulong count = UInt64(what);
        if (count > (ulong)(Remaining / leastBytes))
        {
            throw Error($"claims {count} as {what}, but only {Remaining} bytes follow; it is truncated or damaged");
        }

        return count <= (ulong)most ? (long)count : throw Error($"claims {count} as {what}; more than {most} are refused");
    }

    /// <summary>A text's bytes, valid until the next call.</summary>
    public ReadOnlySpan<byte> Text(string what, int longest)
    {
        long length = Length(what, longest);
        return length <= _buffer.Length ? Take((int)length, what) : TakeLong((int)length);
    }

    public void SkipText(string what)
    {
        long length = Length(what, long.MaxValue);
        Position += length;
    }

    /// <summary>Goes past <paramref name="count"/> values of <paramref name="size"/> bytes.</summary>
    public void Skip(long count, int size, string what)
    {
        if (count > Remaining / size)
        {
            throw Ends(what);
        }

        Position += count * size;
    }

    /// <summary>A value's bytes, valid until the next call.</summary>
    public ReadOnlySpan<byte> Take(int bytes, string what)
    {
        if (bytes > Remaining)
        {
            throw Ends(what);
        }

        long at = Position - _bufferStart;
        if (at < 0 || at + bytes > _buffered)
        {
            _buffered = (int)Math.Min(_buffer.Length, Remaining);
            _bufferStart = Position;
            source.Read(_buffer.AsSpan(0, _buffered), Position);
            at = 0;
        }

        Position += bytes;
        return _buffer.AsSpan((int)at, bytes);
    }

    public CheckpointException Error(string problem) => new($"{source.Name} {problem}.");

    // The message is made only when it is needed: a vocabulary asks for a hundred thousand lengths.
    private long Length(string what, long longest)
    {
        ulong length = UInt64(what);
        if (length > (ulong)Remaining)
        {
            throw Error($"claims a length of {length} bytes for {what}, but only {Remaining} bytes follow; it is truncated or damaged");
        }

        return length <= (ulong)longest ? (long)length : throw Error($"claims a length of {length} bytes for {what}; more than {longest} are refused");
    }

    private byte[] TakeLong(int bytes)
    {
        byte[] taken = new byte[bytes];
        source.Read(taken, Position);
        Position += bytes;
        return taken;
    }

    private CheckpointException Ends(string what) =>
        Error($"ends at byte {source.Length}, in the middle of {what}; it is truncated or damaged");
}
