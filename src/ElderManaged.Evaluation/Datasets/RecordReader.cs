using System.Text.Json;

namespace ElderManaged.Evaluation.Datasets;

/// <summary>Reads the fields of one JSON record; every complaint names the file, the line and the field.</summary>
internal readonly struct RecordReader(string file, int line, int number, JsonElement record, string prefix = "")
{
    /// <summary>The record's place in the file, counted from 1; the id of records that have none.</summary>
    internal string Number => number.ToString();

    internal DatasetException Error(string problem) => new(file, line, problem);

    /// <summary>A text that must be there and not be blank, without white space around it.</summary>
    internal string Text(string field) => OptionalText(field) ?? throw Error($"{prefix}{field} is missing or blank");

    /// <summary>A text without white space around it, or null when it is absent, null or blank.</summary>
    internal string? OptionalText(string field) =>
        TryGet(field, out JsonElement value) ? NotBlank(AsText(value, prefix + field)) : null;

    /// <summary>A number or text that names the record.</summary>
    internal string? OptionalId(string field) =>
        TryGet(field, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetRawText() : OptionalText(field);

    /// <summary>A list of texts, empty when absent. Blank entries are left out: they ask nothing.</summary>
    internal IReadOnlyList<string> Texts(string field)
    {
        if (!TryGet(field, out JsonElement list))
        {
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array)
        {
            throw Error($"{prefix}{field} is not a list of texts");
        }

        var texts = new List<string>();
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (NotBlank(AsText(entry, $"an entry of {prefix}{field}")) is string text)
            {
                texts.Add(text);
            }
        }

        return texts;
    }

    /// <summary>A reader of the object in a field.</summary>
    internal RecordReader Object(string field) =>
        TryGet(field, out JsonElement value) && value.ValueKind == JsonValueKind.Object
            ? new RecordReader(file, line, number, value, $"{prefix}{field}.")
            : throw Error($"{prefix}{field} is missing or not an object");

    /// <summary>Readers of the objects in a list, none when absent.</summary>
    internal IReadOnlyList<RecordReader> Objects(string field)
    {
        if (!TryGet(field, out JsonElement list))
        {
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array)
        {
            throw Error($"{prefix}{field} is not a list of objects");
        }

        var objects = new List<RecordReader>();
        foreach (JsonElement entry in list.EnumerateArray())
        {
            objects.Add(entry.ValueKind == JsonValueKind.Object
                ? new RecordReader(file, line, number, entry, $"{prefix}{field}[{objects.Count}].")
                : throw Error($"{prefix}{field} is not a list of objects"));
        }

        return objects;
    }

    private bool TryGet(string field, out JsonElement value) =>
        record.TryGetProperty(field, out value) && value.ValueKind != JsonValueKind.Null;

    private string AsText(JsonElement value, string name)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            throw Error($"{name} is not a text");
        }

        try
        {
            string text = value.GetString()!;
            return text.Contains('\0', StringComparison.Ordinal) ? throw Error($"{name} contains a NUL character") : text;
        }
        catch (InvalidOperationException exception)
        {
            // An escaped half of a surrogate pair.
            throw new DatasetException(file, line, $"{name} is not valid Unicode", exception);
        }
    }

    private static string? NotBlank(string text) => text.Trim() is { Length: > 0 } trimmed ? trimmed : null;
}
