using System.Text.Json;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Tokenizers;

/// <summary>A value in a JSON file that knows its place, so that a complaint can name file and field.</summary>
internal readonly record struct JsonField(string File, string Place, JsonElement Value)
{
    /// <summary>Reads a file and hands its root over.</summary>
    public static T Read<T>(string path, long longest, Func<JsonField, T> read)
    {
        ReadOnlyMemory<byte> content = TokenizerFiles.ReadAll(path, longest);
        content = content.Span.StartsWith("\uFEFF"u8) ? content[3..] : content;
        try
        {
            using JsonDocument document = JsonDocument.Parse(content);
            return read(new JsonField(path, "", document.RootElement));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}, line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}: this is not valid JSON.", e);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"{path} has a text that is not valid Unicode.", e);
        }
    }

    public bool IsNull => Value.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>A member; null and absent are the same.</summary>
    public JsonField this[string name]
    {
        get
        {
            Require(JsonValueKind.Object, "an object");
            return new JsonField(File, Place.Length == 0 ? name : $"{Place}.{name}", Value.TryGetProperty(name, out JsonElement member) ? member : default);
        }
    }

    public string Text()
    {
        Require(JsonValueKind.String, "a text");
        return Value.GetString()!;
    }

    public string? OptionalText() => IsNull ? null : Text();

    public int Integer() => Value.ValueKind == JsonValueKind.Number && Value.TryGetInt32(out int number)
        ? number : throw Error("must be a whole number");

    public bool Flag(bool absent) => Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null or JsonValueKind.Undefined => absent,
        _ => throw Error("must be true or false"),
    };

    public IEnumerable<JsonField> Items()
    {
        Require(JsonValueKind.Array, "a list");
        int i = 0;
        foreach (JsonElement item in Value.EnumerateArray())
        {
            yield return new JsonField(File, $"{Place}[{i++}]", item);
        }
    }

    public IEnumerable<(string Name, JsonField Field)> Members()
    {
        Require(JsonValueKind.Object, "an object");
        foreach (JsonProperty member in Value.EnumerateObject())
        {
            yield return (member.Name, new JsonField(File, Place, member.Value));
        }
    }

    /// <summary>The <c>type</c> of a component, or "none" if there is no component.</summary>
    public string Type() => IsNull ? "none" : this["type"].Text();

    /// <summary>The parts of a component: those of a <c>Sequence</c>, itself, or none.</summary>
    public IEnumerable<JsonField> Parts(string list)
    {
        if (IsNull)
        {
            return [];
        }

        return Type() == "Sequence" ? this[list].Items().SelectMany(part => part.Parts(list)) : [this];
    }

    public InvalidDataException Error(string problem) => new($"{File}: {(Place.Length == 0 ? "the file" : CheckpointException.Quote(Place))} {problem}.");

    public InvalidDataException Unsupported(string what, string supported) => Error($"is {what}, which is not supported; supported: {supported}");

    private void Require(JsonValueKind kind, string what)
    {
        if (Value.ValueKind != kind)
        {
            throw Error(IsNull ? $"is missing; it must be {what}" : $"must be {what}, but is {Value.ValueKind}");
        }
    }
}
