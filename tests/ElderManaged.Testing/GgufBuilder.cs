using System.Buffers.Binary;
using System.Text;

namespace ElderManaged.Testing;

/// <summary>Writes small GGUF files for tests, from the format's definition and independent of the reader under test.</summary>
public sealed class GgufBuilder
{
    private readonly List<byte[]> keys = [];
    private readonly List<(string Name, long[] Shape, uint Type, byte[] Data)> tensors = [];

    /// <summary>The version in the header.</summary>
    public uint Version { get; init; } = 3;

    /// <summary>Where tensors start: multiples of this.</summary>
    public int Alignment { get; init; } = 32;

    /// <summary>Adds a text.</summary>
    public GgufBuilder Text(string key, string value) => Key(key, 8, Text(value));

    /// <summary>Adds an unsigned 32-bit number, the usual kind of whole number.</summary>
    public GgufBuilder UInt32(string key, uint value) => Key(key, 4, BitConverter.GetBytes(value));

    /// <summary>Adds a float32.</summary>
    public GgufBuilder Float32(string key, float value) => Key(key, 6, BitConverter.GetBytes(value));

    /// <summary>Adds true or false.</summary>
    public GgufBuilder Flag(string key, bool value) => Key(key, 7, [value ? (byte)1 : (byte)0]);

    /// <summary>Adds a list of texts.</summary>
    public GgufBuilder Texts(string key, IEnumerable<string> values) => List(key, 8, [.. values.Select(Text)]);

    /// <summary>Adds a list of float32.</summary>
    public GgufBuilder Floats(string key, IEnumerable<float> values) => List(key, 6, [.. values.Select(BitConverter.GetBytes)]);

    /// <summary>Adds a list of signed 32-bit numbers.</summary>
    public GgufBuilder Int32s(string key, IEnumerable<int> values) => List(key, 5, [.. values.Select(BitConverter.GetBytes)]);

    /// <summary>Adds a value of any type by its number in the specification and its bytes.</summary>
    public GgufBuilder Key(string key, uint type, byte[] value)
    {
        keys.Add([.. Text(key), .. BitConverter.GetBytes(type), .. value]);
        return this;
    }

    /// <summary>Adds a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">The sizes, outermost first; the file keeps them the other way round.</param>
    /// <param name="type">The number of the type in ggml.</param>
    /// <param name="data">The bytes.</param>
    public GgufBuilder Tensor(string name, long[] shape, uint type, byte[] data)
    {
        tensors.Add((name, shape, type, data));
        return this;
    }

    /// <summary>Adds a float32 tensor.</summary>
    public GgufBuilder Tensor(string name, long[] shape, ReadOnlySpan<float> values) =>
        Tensor(name, shape, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>The file's bytes.</summary>
    public byte[] Build()
    {
        List<byte> file = [.. "GGUF"u8];
        file.AddRange(BitConverter.GetBytes(Version));
        file.AddRange(BitConverter.GetBytes((ulong)tensors.Count));
        byte[][] all = Alignment == 32 ? [.. keys] : [.. keys, [.. Text("general.alignment"), .. BitConverter.GetBytes(4u), .. BitConverter.GetBytes(Alignment)]];
        file.AddRange(BitConverter.GetBytes((ulong)all.Length));
        foreach (byte[] key in all)
        {
            file.AddRange(key);
        }

        long offset = 0;
        foreach ((string name, long[] shape, uint type, byte[] data) in tensors)
        {
            file.AddRange(Text(name));
            file.AddRange(BitConverter.GetBytes((uint)shape.Length));
            foreach (long size in shape.Reverse())
            {
                file.AddRange(BitConverter.GetBytes(size));
            }

            file.AddRange(BitConverter.GetBytes(type));
            file.AddRange(BitConverter.GetBytes(offset));
            offset = (offset + data.Length + Alignment - 1) / Alignment * Alignment;
        }

        foreach ((_, _, _, byte[] data) in tensors)
        {
            file.AddRange(new byte[(Alignment - (file.Count % Alignment)) % Alignment]);
            file.AddRange(data);
        }

        return [.. file];
    }

    private GgufBuilder List(string key, uint type, byte[][] values)
    {
        byte[] head = new byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(head, type);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(4), values.Length);
        return Key(key, 9, [.. head, .. values.SelectMany(value => value)]);
    }

    private static byte[] Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return [.. BitConverter.GetBytes((ulong)bytes.Length), .. bytes];
    }
}
