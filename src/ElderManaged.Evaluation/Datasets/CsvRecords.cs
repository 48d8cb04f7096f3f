using System.Text;

namespace ElderManaged.Evaluation.Datasets;

/// <summary>Reads plain edits from CSV: columns <c>prompt</c>, <c>target</c>, and optionally <c>id</c>, <c>subject</c>, <c>rephrasings</c>.</summary>
internal static class CsvRecords
{
    private const string Separator = " | ";

    internal static IEnumerable<EditRecord> Read(DatasetFile file)
    {
        Dictionary<string, int>? columns = null;
        int width = 0, number = 0;
        foreach ((int line, IReadOnlyList<string> fields) in CsvReader.Rows(file.Path, Encoding.UTF8.GetString(file.Text)))
        {
            if (columns is null)
            {
                columns = Columns(file.Path, line, fields);
                width = fields.Count;
                continue;
            }

            if (fields.Count != width)
            {
                throw new DatasetException(file.Path, line, $"has {fields.Count} fields, the header has {width}; quote fields that contain commas");
            }

            number++;

            string Raw(string name) => columns.TryGetValue(name, out int column) ? fields[column] : "";

            string? Field(string name) => Raw(name).Trim() is { Length: > 0 } text ? text : null;

            DatasetException Error(string problem) => new(file.Path, line, problem);

            yield return RecordForms.Plain(
                Error,
                Field("id") ?? number.ToString(),
                Field("prompt") ?? throw Error("prompt is missing or blank"),
                Field("target") ?? throw Error("target is missing or blank"),
                Field("subject"),
                Raw("rephrasings").Split(Separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        }
    }

    private static Dictionary<string, int> Columns(string file, int line, IReadOnlyList<string> header)
    {
        var columns = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        for (int i = 0; i < header.Count; i++)
        {
            if (!columns.TryAdd(header[i].Trim(), i))
            {
                throw new DatasetException(file, line, $"names the column '{header[i].Trim()}' twice");
            }
        }

        return columns.ContainsKey("prompt") && columns.ContainsKey("target")
            ? columns
            : throw new DatasetException(file, line, $"is not a header with the columns prompt and target (found: {Shorten(string.Join(", ", columns.Keys))})");
    }

    private static string Shorten(string text) => text.Length <= 100 ? text : text[..100] + "…";
}
