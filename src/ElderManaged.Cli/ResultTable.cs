using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Reports;
using Spectre.Console;

namespace ElderManaged.Cli;

/// <summary>Draws the table of results.</summary>
internal static class ResultTable
{
    public static void Draw(Terminal terminal, IReadOnlyList<MethodResult> methods)
    {
        // Neighbouring columns of one kind share one here, so that the table fits a screen.
        ResultColumn[][] groups = [.. ResultColumns.All.GroupBy(c => c.Group).Select(g => g.ToArray())];
        Table table = new() { Border = terminal.OutIsScreen ? TableBorder.Rounded : TableBorder.Ascii };
        foreach (ResultColumn[] group in groups)
        {
            string header = string.Join('\n', [.. group[0].Group.Split(' '), .. group[0].Header.Length == 0 ? [] : (string[])[string.Join(" / ", group.Select(c => c.Header))]]);
            TableColumn column = new(new Text(header)) { NoWrap = true };
            table.AddColumn(table.Columns.Count == 0 ? column.LeftAligned() : column.RightAligned());
        }

        foreach (MethodResult method in methods)
        {
            table.AddRow(groups.Select(group => new Text(Cell([.. group.Select(c => c.Text(method))]))));
        }

        terminal.Console().Write(table);
    }

    private static string Cell(string[] figures) => figures.All(f => f == ResultColumns.None) ? ResultColumns.None : string.Join(" / ", figures);
}
