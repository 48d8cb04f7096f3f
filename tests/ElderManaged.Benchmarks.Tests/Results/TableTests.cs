using System.Text.Json;
using ElderManaged.Benchmarks.Results;

namespace ElderManaged.Benchmarks.Tests.Results;

public sealed class TableTests
{
    private static readonly Measurement Fast = new("fast", 1, 180, 200, "GFLOP/s") { Bar = 0.9, Kind = "product" };
    private static readonly Measurement Slow = new("slow", 1, 100, 200, "GFLOP/s") { Bar = 0.9, Kind = "product" };
    private static readonly Machine Machine = new("A Processor", new Dictionary<int, MachineLimits> { [1] = new(2e11, 3e10, 2e10) });

    [Fact]
    public void TheBarIsReachedToTheDigitsThatArePrinted()
    {
        Assert.True(Fast.Reached);
        Assert.True((Fast with { Ours = 179.1 }).Reached); // prints as 0.90
        Assert.False((Fast with { Ours = 178.9 }).Reached); // prints as 0.89
        Assert.Null((Fast with { Bar = null }).Reached);
    }

    [Fact]
    public void AMissedBarIsSeenInTheTable()
    {
        string text = MarkdownTables.Full(Table());
        Assert.Contains("| fast | 1 | 180 | 200 | GFLOP/s | 0.90 | 0.90 | yes |", text, StringComparison.Ordinal);
        Assert.Contains("| slow | 1 | 100 | 200 | GFLOP/s | 0.50 | 0.90 | **no** |", text, StringComparison.Ordinal);
    }

    [Fact]
    public void TheShortTableTellsTheLeastRatioAndHowManyReachedTheBar()
    {
        string text = MarkdownTables.Short(Machine, [Table()]);
        Assert.Contains("A Processor", text, StringComparison.Ordinal);
        Assert.Contains("| product | the peer | 1 | 0.70 | 0.50 | 0.90 | 1 of 2 |", text, StringComparison.Ordinal);
    }

    [Fact]
    public void TheReadmeKeepsEverythingOutsideTheMarkers()
    {
        string before = $"# Title\n\n{MarkdownTables.ReadmeStart}\nold\n{MarkdownTables.ReadmeEnd}\n\nafter\n";
        string once = MarkdownTables.ReplaceBlock(before, "new\n");
        Assert.Equal($"# Title\n\n{MarkdownTables.ReadmeStart}\nnew\n{MarkdownTables.ReadmeEnd}\n\nafter\n", once);
        Assert.Equal(once, MarkdownTables.ReplaceBlock(once, "new"));
        Assert.Throws<InvalidDataException>(() => MarkdownTables.ReplaceBlock("# Title\n", "new"));
    }

    [Fact]
    public void JsonIsAListOfTheSixFieldsAndReadsBack()
    {
        string text = JsonList.Write([Fast, Slow]);
        using JsonDocument json = JsonDocument.Parse(text);
        Assert.Equal(["name", "threads", "ours", "peer", "unit", "ratio"], json.RootElement[0].EnumerateObject().Select(p => p.Name));
        Assert.Equal(0.9, json.RootElement[0].GetProperty("ratio").GetDouble());
        Assert.Equal([Fast with { Bar = null, Kind = "" }, Slow with { Bar = null, Kind = "" }], JsonList.Read(text));
    }

    [Theory]
    [InlineData(0.01234, "0.0123")]
    [InlineData(1.5, "1.50")]
    [InlineData(187.4, "187")]
    [InlineData(15994.2, "15,994")]
    [InlineData(0, "0")]
    public void NumbersHaveThreeDigits(double value, string expected) => Assert.Equal(expected, MarkdownTables.Number(value));

    private static ResultTable Table()
    {
        ResultTable table = new("Products", "Ours against the peer.", "the peer");
        table.Lines.AddRange([Fast, Slow]);
        return table;
    }
}
