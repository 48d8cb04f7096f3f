using System.Globalization;
using System.Text;

namespace ElderManaged.Benchmarks.Results;

/// <summary>Results as Markdown: the full tables, and the short one of the README.</summary>
internal static class MarkdownTables
{
    public const string ReadmeStart = "<!-- benchmarks: written by `tools/ElderManaged.Benchmarks -- table --readme README.md` -->";
    public const string ReadmeEnd = "<!-- /benchmarks -->";

    public static string Full(ResultTable table)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"## {table.Title}\n\n{table.Explanation}\n\n");
        if (table.Lines.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"| | threads | ours | {table.Peer} | unit | ratio | bar | reached |\n|---|---:|---:|---:|---|---:|---:|---|\n");
            foreach (Measurement line in table.Lines)
            {
                text.Append(CultureInfo.InvariantCulture, $"| {line.Name} | {line.Threads} | {Number(line.Ours)} | {Number(line.Peer)} | {line.Unit} | {line.Ratio:0.00} | {Bar(line.Bar)} | {Mark(line.Reached)} |\n");
            }
        }

        foreach (string note in table.Notes)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{note}\n");
        }

        return text.ToString();
    }

    /// <summary>For every kind of measurement and number of threads: the median ratio, the least, and how many reached the bar.</summary>
    public static string Short(Machine machine, IEnumerable<ResultTable> tables)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{machine.Sentence()}\n\n");
        text.Append("| | compared with | threads | median ratio | least | bar | reached |\n|---|---|---:|---:|---:|---:|---:|\n");
        foreach (ResultTable table in tables)
        {
            foreach (IGrouping<(string Kind, int Threads, double? Bar), Measurement> kind in table.Lines.GroupBy(l => (l.Kind, l.Threads, l.Bar)))
            {
                double[] ratios = [.. kind.Select(l => l.Ratio).Order()];
                string reached = kind.Key.Bar is null ? "–" : $"{kind.Count(l => l.Reached == true)} of {ratios.Length}";
                text.Append(CultureInfo.InvariantCulture, $"| {kind.Key.Kind} | {table.Peer} | {kind.Key.Threads} | {Median(ratios):0.00} | {ratios[0]:0.00} | {Bar(kind.Key.Bar)} | {reached} |\n");
            }
        }

        return text.ToString();
    }

    /// <summary>The text with everything between the two markers replaced.</summary>
    /// <exception cref="InvalidDataException">A marker is missing, or they are in the wrong order.</exception>
    public static string ReplaceBlock(string readme, string block)
    {
        int start = readme.IndexOf(ReadmeStart, StringComparison.Ordinal);
        int end = start < 0 ? -1 : readme.IndexOf(ReadmeEnd, start, StringComparison.Ordinal);
        if (end < 0)
        {
            throw new InvalidDataException($"The file has no line '{ReadmeStart}' followed by '{ReadmeEnd}': put both where the table shall stand.");
        }

        return $"{readme[..start]}{ReadmeStart}\n{block.TrimEnd()}\n{readme[end..]}";
    }

    /// <summary>Three significant digits, without an exponent.</summary>
    public static string Number(double value)
    {
        if (!double.IsFinite(value) || value == 0)
        {
            return value.ToString(CultureInfo.InvariantCulture);
        }

        int decimals = Math.Clamp(2 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 6);
        return value.ToString($"N{decimals}", CultureInfo.InvariantCulture);
    }

    public static double Median(ReadOnlySpan<double> sorted) =>
        sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;

    private static string Bar(double? bar) => bar is { } b ? b.ToString("0.00", CultureInfo.InvariantCulture) : "–";

    private static string Mark(bool? reached) => reached switch { true => "yes", false => "**no**", null => "–" };
}
