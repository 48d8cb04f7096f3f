using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace ElderManaged.Models.Checkpoints.Gguf;

/// <summary>
/// The keys and values at the head of a GGUF file. Single values and lists are read as what is asked for: null when the
/// key is absent, a <see cref="CheckpointException"/> naming file and key when the value is of another kind.
/// </summary>
/// <remarks>
/// Only the places of the values are kept; long lists such as a vocabulary are read from the file when they are asked
/// for, anew each time. Safe for several threads until the file is closed.
/// </remarks>
public sealed class GgufMetadata
{
    private const long MostKeys = 1 << 16;
    private const int LongestKey = (1 << 16) - 1; // by the specification
    private const int LongestText = 1 << 24;      // also of all texts of a list together: real vocabularies have 1 to 5 MB
    private const int LongestList = 1 << 20;

    private readonly ByteSource _source;
    private readonly Dictionary<string, Value> _values = new(StringComparer.Ordinal);

    private GgufMetadata(ByteSource source) => _source = source;

    /// <summary>All keys.</summary>
    public IReadOnlyCollection<string> Keys => _values.Keys;

    /// <summary>Whether the file has this key.</summary>
    /// <param name="key">For example <c>tokenizer.ggml.tokens</c>.</param>
    public bool Contains(string key) => _values.ContainsKey(key);

    /// <summary>The type of a value, or null when the key is absent; for a list the type of its elements.</summary>
    /// <param name="key">The key.</param>
    /// <param name="isList">Whether it is a list.</param>
    /// <param name="count">The number of elements; 1 for single values, 0 when absent.</param>
    public GgufType? TypeOf(string key, out bool isList, out long count)
    {
        bool found = _values.TryGetValue(key, out Value value);
        (isList, count) = (found && value.IsList, found ? value.Count : 0);
        return found ? value.Type : null;
    }

    /// <summary>A text, or null.</summary>
    /// <param name="key">The key.</param>
    public string? Text(string key)
    {
        if (!Single(key, "a text", type => type == GgufType.Text, out Value value))
        {
            return null;
        }

        return Decode(key, Reader(value).Text(Name(key), LongestText));
    }

    /// <summary>A whole number of any width, or null.</summary>
    /// <param name="key">The key.</param>
    public long? Integer(string key) =>
        Single(key, "a whole number", GgufTypes.IsInteger, out Value value) ? ToInteger(key, value.Type, Bytes(key, value)) : null;

    /// <summary>A number of any kind, or null.</summary>
    /// <param name="key">The key.</param>
    public double? Number(string key) =>
        Single(key, "a number", GgufTypes.IsNumber, out Value value) ? ToNumber(value.Type, Bytes(key, value)) : null;

    /// <summary>True, false, or null.</summary>
    /// <param name="key">The key.</param>
    public bool? Flag(string key)
    {
        if (!Single(key, "true or false", type => type == GgufType.Bool, out Value value))
        {
            return null;
        }

        return Bytes(key, value)[0] switch
        {
            0 => false,
            1 => true,
            byte other => throw Error(key, $"is the byte {other}, neither true (1) nor false (0)"),
        };
    }

    /// <summary>A list of texts, or null.</summary>
    /// <param name="key">The key.</param>
    public string[]? Texts(string key)
    {
        if (!List(key, "a list of texts", type => type == GgufType.Text, out Value value))
        {
            return null;
        }

        string[] texts = new string[value.Count];
        GgufReader reader = Reader(value);
        int left = LongestText;
        for (int i = 0; i < texts.Length; i++)
        {
            long before = reader.Position;
            texts[i] = Decode(key, reader.Text(Name(key), left));
            left -= (int)(reader.Position - before - sizeof(ulong));
        }

        return texts;
    }

    /// <summary>A list of whole numbers of any width, or null.</summary>
    /// <param name="key">The key.</param>
    public long[]? Integers(string key)
    {
        if (!List(key, "a list of whole numbers", GgufTypes.IsInteger, out Value value))
        {
            return null;
        }

        long[] numbers = new long[value.Count];
        GgufReader reader = Reader(value);
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = ToInteger(key, value.Type, reader.Take(value.Type.ByteSize(), Name(key)));
        }

        return numbers;
    }

    /// <summary>A list of numbers of any kind, or null.</summary>
    /// <param name="key">The key.</param>
    public float[]? Numbers(string key)
    {
        if (!List(key, "a list of numbers", GgufTypes.IsNumber, out Value value))
        {
            return null;
        }

        float[] numbers = new float[value.Count];
        GgufReader reader = Reader(value);
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = (float)ToNumber(value.Type, reader.Take(value.Type.ByteSize(), Name(key)));
        }

        return numbers;
    }

    /// <summary>A complaint about a value, which names the file and the key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="problem">What is wrong, to be read after the key.</param>
    public CheckpointException Error(string key, string problem) => new($"{_source.Name}: {CheckpointException.Quote(key)} {problem}.");

    /// <summary>Reads all keys and checks every length; <paramref name="reader"/> stands behind them afterwards.</summary>
    internal static GgufMetadata Read(ByteSource source, GgufReader reader, long count)
    {
        if (count > MostKeys)
        {
            throw reader.Error($"claims {count} metadata keys; more than {MostKeys} are refused");
        }

        var metadata = new GgufMetadata(source);
        for (long i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> bytes = reader.Text("a metadata key", LongestKey);
            string key = Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw reader.Error($"has a metadata key (number {i + 1}) that is not valid UTF-8");
            if (!metadata._values.TryAdd(key, ReadPlace(reader, key)))
            {
                throw metadata.Error(key, "occurs twice in the metadata");
            }
        }

        return metadata;
    }

    private static Value ReadPlace(GgufReader reader, string key)
    {
        string name = Name(key);
        GgufType type = ReadType(reader, name);
        bool isList = type == GgufType.Array;
        long count = 1;
        if (isList)
        {
            type = ReadType(reader, name);
            if (type == GgufType.Array)
            {
                throw reader.Error($"has a list of lists as {name}; lists of single values are supported");
            }

            count = reader.Count($"number of elements of {name}", type == GgufType.Text ? sizeof(ulong) : type.ByteSize(), long.MaxValue);
        }

        var value = new Value(type, isList, count, reader.Position);
        if (type == GgufType.Text)
        {
            for (long i = 0; i < count; i++)
            {
                reader.SkipText(name);
            }
        }
        else
        {
            reader.Skip(count, type.ByteSize(), name);
        }

        return value;
    }

    private static GgufType ReadType(GgufReader reader, string name)
    {
        uint type = reader.UInt32($"the type of {name}");
        return type <= (uint)GgufType.Float64 ? (GgufType)type : throw reader.Error($"has the unknown type {type} for {name}");
    }

    private static string Name(string key) => CheckpointException.Quote(key);

    private bool Single(string key, string wanted, Func<GgufType, bool> fits, out Value value)
    {
        if (!_values.TryGetValue(key, out value))
        {
            return false;
        }

        return !value.IsList && fits(value.Type) ? true : throw Error(key, $"is {Describe(value)}, not {wanted}");
    }

    private bool List(string key, string wanted, Func<GgufType, bool> fits, out Value value)
    {
        if (!_values.TryGetValue(key, out value))
        {
            return false;
        }

        if (!value.IsList || !fits(value.Type))
        {
            throw Error(key, $"is {Describe(value)}, not {wanted}");
        }

        return value.Count <= LongestList ? true : throw Error(key, $"has {value.Count} elements; more than {LongestList} are refused");
    }

    private static string Describe(Value value) => value.IsList ? $"a list of {value.Count} {value.Type}" : value.Type.ToString();

    private GgufReader Reader(Value value) => new(_source, value.Position);

    private ReadOnlySpan<byte> Bytes(string key, Value value) => Reader(value).Take(value.Type.ByteSize(), Name(key));

    private string Decode(string key, ReadOnlySpan<byte> text) =>
        Utf8.IsValid(text) ? Encoding.UTF8.GetString(text) : throw Error(key, "holds a text that is not valid UTF-8");

    private long ToInteger(string key, GgufType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufType.UInt8 => bytes[0],
        GgufType.Int8 => (sbyte)bytes[0],
        GgufType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        GgufType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        GgufType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        GgufType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        GgufType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        _ => BinaryPrimitives.ReadInt64LittleEndian(bytes) is >= 0 and long number ? number : throw Error(key, "is larger than 2^63 - 1"),
    };

    private static double ToNumber(GgufType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
        GgufType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
        GgufType.UInt8 => bytes[0],
        GgufType.Int8 => (sbyte)bytes[0],
        GgufType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        GgufType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        GgufType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        GgufType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        GgufType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
    };

    private readonly record struct Value(GgufType Type, bool IsList, long Count, long Position);
}
