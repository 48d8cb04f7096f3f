using System.Text;

namespace ElderManaged.Evaluation.Datasets;

/// <summary>Reads comma-separated values after RFC 4180: quoted fields, doubled quotes, line breaks inside quotes.</summary>
/// <remarks>
/// Written here because the usual libraries map columns by reflection and are not marked as safe to trim, and because a
/// dataset error must name the line. Stricter than spreadsheets in one point: a quote inside an unquoted field, or text
/// after a closing quote, is an error, because it nearly always means that a quote is missing elsewhere.
/// </remarks>
internal static class CsvReader
{
    /// <summary>The rows with the line each starts on. Empty lines are left out.</summary>
    internal static IEnumerable<(int Line, IReadOnlyList<string> Fields)> Rows(string file, string text)
    {
        int position = 0, line = 1;
        while (position < text.Length)
        {
            int start = line;
            List<string> fields = Row(file, text, ref position, ref line);
            if (fields.Count > 1 || fields[0].Length > 0)
            {
                yield return (start, fields);
            }
        }
    }

    private static List<string> Row(string file, string text, ref int position, ref int line)
    {
        var fields = new List<string>();
        while (true)
        {
            fields.Add(position < text.Length && text[position] == '"'
                ? Quoted(file, text, ref position, ref line)
                : Unquoted(file, text, ref position, line));

            if (position < text.Length && text[position] == ',')
            {
                position++;
                continue;
            }

            // A row ends with \n, \r\n, a lone \r, or the text.
            if (position < text.Length && text[position] == '\r')
            {
                position++;
                position += position < text.Length && text[position] == '\n' ? 1 : 0;
                line++;
            }
            else if (position < text.Length && text[position] == '\n')
            {
                position++;
                line++;
            }

            return fields;
        }
    }

    private static string Unquoted(string file, string text, ref int position, int line)
    {
        int length = text.AsSpan(position).IndexOfAny(",\r\n\"");
        length = length < 0 ? text.Length - position : length;
        if (position + length < text.Length && text[position + length] == '"')
        {
            throw new DatasetException(file, line, "has a quote inside a field that does not start with one; quote the whole field and double its quotes");
        }

        string field = text.Substring(position, length);
        position += length;
        return field;
    }

    private static string Quoted(string file, string text, ref int position, ref int line)
    {
        int start = line;
        var field = new StringBuilder();
        while (true)
        {
            position++; // the opening quote, or the second of a doubled one
            int length = text.AsSpan(position).IndexOf('"');
            if (length < 0)
            {
                throw new DatasetException(file, start, "has a quoted field that never ends");
            }

            ReadOnlySpan<char> part = text.AsSpan(position, length);
            line += part.Count('\n');
            field.Append(part);
            position += length + 1;
            if (position < text.Length && text[position] == '"')
            {
                field.Append('"');
                continue;
            }

            return position == text.Length || text[position] is ',' or '\r' or '\n'
                ? field.ToString()
                : throw new DatasetException(file, line, "has text after a closing quote; double the quotes inside a quoted field");
        }
    }
}
