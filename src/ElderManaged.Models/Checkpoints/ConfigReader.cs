using System.Text.Json;

namespace ElderManaged.Models.Checkpoints;

/// <summary>Reads fields of a <c>config.json</c>; every complaint names the file and the field.</summary>
/// <remarks>
/// Fields are read by hand from a <see cref="JsonDocument"/> and not bound by a generated serializer: both are safe to
/// trim, but only this way can each missing or wrong field, and each setting that is not implemented, say its own name.
/// </remarks>
internal sealed class ConfigReader : IDisposable
{
    private const long LongestFile = 1 << 20;
    private readonly string _file;
    private readonly JsonDocument _document;

    private ConfigReader(string file, JsonDocument document)
    {
        _file = file;
        _document = document;
    }

    internal static ConfigReader Open(string path)
    {
        using ByteSource source = ByteSource.OpenFile(path);
        return Open(source);
    }

    internal static ConfigReader Open(ByteSource source)
    {
        if (source.Length > LongestFile)
        {
            throw new CheckpointException($"{source.Name} has {source.Length} bytes; more than {LongestFile} are refused for a configuration.");
        }

        byte[] bytes = new byte[source.Length];
        source.Read(bytes, 0);
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 32 });
        }
        catch (JsonException exception)
        {
            throw new CheckpointException($"{source.Name} is not valid JSON (line {exception.LineNumber + 1}).", exception);
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            throw new CheckpointException($"{source.Name} is not a JSON object.");
        }

        return new ConfigReader(source.Name, document);
    }

    public void Dispose() => _document.Dispose();

    internal CheckpointException Error(string field, string problem) => new($"{_file}: {field} {problem}.");

    internal string? OptionalText(string field)
    {
        if (!TryGet(field, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? Text(field, value) : throw Error(field, $"is {Show(value)}, not a text");
    }

    internal string? FirstArchitecture()
    {
        if (!TryGet("architectures", out JsonElement list))
        {
            return null;
        }

        return list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0 && list[0].ValueKind == JsonValueKind.String
            ? Text("architectures", list[0])
            : throw Error("architectures", $"is {Show(list)}, not a list of names");
    }

    internal int Size(string field) => OptionalSize(field) ?? throw Missing(field);

    internal int? OptionalSize(string field)
    {
        if (!TryGet(field, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) && size > 0
            ? size
            : throw Error(field, $"is {Show(value)}, not a whole number from 1 to {int.MaxValue}");
    }

    internal float Positive(string field, float? otherwise = null)
    {
        if (!TryGet(field, out JsonElement value))
        {
            return otherwise ?? throw Missing(field);
        }

        return Positive(field, value);
    }

    /// <summary>A field of an object that may be absent, as the object may.</summary>
    internal float? PositiveInside(string outer, string field) => TryGetInside(outer, field, out JsonElement value) ? Positive($"{outer}.{field}", value) : null;

    private float Positive(string field, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && (float)number > 0 && float.IsFinite((float)number)
            ? (float)number
            : throw Error(field, $"is {Show(value)}, not a positive number");

    internal bool Flag(string field, bool otherwise)
    {
        if (!TryGet(field, out JsonElement value))
        {
            return otherwise;
        }

        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Error(field, $"is {Show(value)}, not true or false"),
        };
    }

    /// <summary>One token id, a list of them, or nothing.</summary>
    internal TokenIds Tokens(string field, int vocabSize)
    {
        if (!TryGet(field, out JsonElement value))
        {
            return TokenIds.None;
        }

        JsonElement[] elements = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        int[] ids = new int[elements.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            if (elements[i].ValueKind != JsonValueKind.Number || !elements[i].TryGetInt32(out ids[i]) || ids[i] < 0 || ids[i] >= vocabSize)
            {
                throw Error(field, $"is {Show(value)}; token ids lie from 0 to vocab_size - 1 = {vocabSize - 1}");
            }
        }

        return new TokenIds(ids);
    }

    /// <summary>Refuses a setting that would change the computation in a way this program does not implement.</summary>
    internal void Refuse(string field, Func<JsonElement, bool> acceptable, string supported)
    {
        if (TryGet(field, out JsonElement value) && !acceptable(value))
        {
            throw Error(field, $"is {Show(value)}, which is not supported; supported is {supported}");
        }
    }

    /// <summary>The same for a field of an object that may be absent, as the object may.</summary>
    internal void RefuseInside(string outer, string field, Func<JsonElement, bool> acceptable, string supported)
    {
        if (TryGetInside(outer, field, out JsonElement value) && !acceptable(value))
        {
            throw Error($"{outer}.{field}", $"is {Show(value)}, which is not supported; supported is {supported}");
        }
    }

    private bool TryGetInside(string outer, string field, out JsonElement value)
    {
        value = default;
        if (!TryGet(outer, out JsonElement inside))
        {
            return false;
        }

        if (inside.ValueKind != JsonValueKind.Object)
        {
            throw Error(outer, $"is {Show(inside)}, not an object");
        }

        return inside.TryGetProperty(field, out value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);
    }

    /// <summary>The field, unless it is absent or null: Hugging Face writes both for "not set".</summary>
    internal bool TryGet(string field, out JsonElement value) =>
        _document.RootElement.TryGetProperty(field, out value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);

    private CheckpointException Missing(string field) => Error(field, "is missing");

    private string Text(string field, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw new CheckpointException($"{_file}: {field} is not valid Unicode.", exception);
        }
    }

    private static string Show(JsonElement value) => CheckpointException.Quote(value.GetRawText());
}
