using ElderManaged.Evaluation.Datasets;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Evaluation.Tests.Datasets;

public class CsvReaderTests
{
    [Fact]
    public void WhatIsQuotedComesBack()
    {
        Prop.ForAll<string[][]>(rows =>
        {
            // Rows of one empty field are empty lines, which are left out.
            string[][] expected = [.. rows.Select(row => row.Select(field => field ?? "").ToArray()).Where(row => row.Length > 1 || (row.Length == 1 && row[0].Length > 0))];
            string text = string.Concat(expected.Select((row, i) => string.Join(',', row.Select(Quote)) + (i % 2 == 0 ? "\n" : "\r\n")));
            string[][] read = [.. CsvReader.Rows("file", text).Select(row => row.Fields.ToArray())];
            Assert.Equal(expected, read);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void LinesAreCountedThroughQuotedBreaks()
    {
        (int, IReadOnlyList<string>)[] rows = [.. CsvReader.Rows("file", "a\n\n\"b\nc\",\nd,e")];
        Assert.Equal([1, 3, 5], rows.Select(row => row.Item1));
        Assert.Equal(["b\nc", ""], rows[1].Item2);
        Assert.Equal(["d", "e"], rows[2].Item2);
    }

    private static string Quote(string field) => field.AsSpan().IndexOfAny(",\r\n\"") >= 0 || field.Length == 0
        ? "\"" + field.Replace("\"", "\"\"", StringComparison.Ordinal) + "\""
        : field;
}
