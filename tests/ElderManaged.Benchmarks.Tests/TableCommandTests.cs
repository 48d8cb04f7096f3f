namespace ElderManaged.Benchmarks.Tests;

public sealed class TableCommandTests
{
    [Theory]
    [InlineData("1,0", "products")]
    [InlineData("two", "products")]
    [InlineData("", "products")]
    [InlineData("1", "nothing")]
    public void WrongOptionsAreRefusedBeforeAnythingIsMeasured(string threads, string only) =>
        Assert.Equal(2, TableCommand.Run([only], threads, quick: true, json: true, readme: null, CancellationToken.None));

    [Fact]
    public void AFileWithoutMarkersIsRefusedBeforeAnythingIsMeasured()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "# Nothing\n");
            Assert.Equal(2, TableCommand.Run([], "1", quick: true, json: true, new FileInfo(path), CancellationToken.None));
            Assert.Equal("# Nothing\n", File.ReadAllText(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void StoppedAtOnceItStillPrintsAList()
    {
        TextWriter before = Console.Out;
        using StringWriter output = new();
        Console.SetOut(output);
        try
        {
            Assert.Equal(130, TableCommand.Run(["block"], "1", quick: true, json: true, readme: null, new CancellationToken(canceled: true)));
        }
        finally
        {
            Console.SetOut(before);
        }

        Assert.Equal("[]", output.ToString().Trim());
    }
}
