using System.Text;

namespace ElderManaged.Cli.Tests.Commands;

/// <summary>Every fault of the input ends with code 2, one line that names it, and nothing written.</summary>
public sealed class BadInputTests : IDisposable
{
    private const string Good = """{"prompt":"Person1 plays the","target":"drum","subject":"Person1","rephrasings":["On stage Person1 plays the"]}""";
    private readonly Elder elder = new();

    [Fact]
    public void AModelThatIsNotThereIsNamed() => Refused(Edit(model: "no/such/model"), "no/such/model");

    [Fact]
    public void ATruncatedModelIsNamed()
    {
        string model = elder.CopyOfModel();
        string weights = Path.Combine(model, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        File.WriteAllBytes(weights, bytes[..(bytes.Length / 2)]);
        Refused(Edit(model: model), "model.safetensors");
    }

    [Fact]
    public void ATensorOfTheWrongShapeIsNamed()
    {
        string model = elder.CopyOfModel();
        string config = Path.Combine(model, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"n_inner\": 32", "\"n_inner\": 48", StringComparison.Ordinal));
        Refused(Edit(model: model), "h.0.mlp.c_fc.weight", "48", "32");
    }

    [Fact]
    public void ATensorOfTheWrongNameIsNamed()
    {
        string model = elder.CopyOfModel();
        string weights = Path.Combine(model, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        int at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("h.1.mlp.c_fc.weight"));
        Assert.True(at > 0);
        "h.1.mlp.c_xx.weight"u8.CopyTo(bytes.AsSpan(at));
        File.WriteAllBytes(weights, bytes);
        Refused(Edit(model: model), "h.1.mlp.c_fc.weight");
    }

    [Fact]
    public void AMissingTokenizerIsNamed()
    {
        string model = elder.CopyOfModel();
        File.Delete(Path.Combine(model, "merges.txt"));
        Refused(Edit(model: model), "merges.txt");
    }

    [Theory]
    [InlineData("elder bench generate --help", "bench", "generate", "--threads")]
    [InlineData("elder generate --help", "generate", "--model")]
    [InlineData("elder --help", "nonsense")]
    public void AMissingValuePointsToTheHelpOfItsCommand(string help, params string[] arguments) =>
        Refused(Elder.Run(arguments), $"(see {help})");

    [Theory]
    [InlineData("", "is empty")]
    [InlineData(Good + "\n{\"prompt\":\"Person2 plays the\",\"rephrasings\":[\"x\"]}", "line 2", "target")]
    [InlineData(Good + "\n\n{\"prompt\": oops", "line 3", "JSON")]
    [InlineData("{\"question\":\"?\"}", "line 1", "known form")]
    public void ABrokenEditFileIsNamedWithItsLine(string text, params string[] says) =>
        Refused(Edit(edits: elder.Write("broken.jsonl", text)), ["broken.jsonl", .. says]);

    [Fact]
    public void AMissingEditFileIsNamed() => Refused(Edit(edits: "no-edits.jsonl"), "no-edits.jsonl");

    [Fact]
    public void AnEditTooLongForTheModelIsNamedWithItsFile()
    {
        string prompt = string.Concat(Enumerable.Repeat("Person1 ", 70)) + "plays the";
        string file = elder.Write("long.jsonl", $$"""{"prompt":"{{prompt}}","target":"drum","rephrasings":["x"]}""");
        Refused(Edit(edits: file), "long.jsonl", "64");
    }

    [Theory]
    [InlineData("--limit", "0")]
    [InlineData("--limit", "many")]
    [InlineData("--batch", "0")]
    [InlineData("--preset", "rome")]
    [InlineData("--target", "both")]
    [InlineData("--threads", "0")]
    [InlineData("--threads", "100000")]
    [InlineData("--seed", "-1")]
    [InlineData("--no-such-option", "1")]
    public void AnOptionOutOfRangeIsNamed(string option, string value) => Refused(Edit([option, value]), option.Contains("no-such", StringComparison.Ordinal) ? option : value);

    [Theory]
    [InlineData("--max-tokens", "0")]
    [InlineData("--temperature", "-1")]
    [InlineData("--top-k", "-3")]
    [InlineData("--top-p", "1.5")]
    public void AGenerationOptionOutOfRangeIsNamed(string option, string value) =>
        Refused(Elder.Run("generate", "Person1", "--model", Elder.Model, option, value), option, value);

    [Theory]
    [InlineData("--edits", "3")]
    [InlineData("--edits", "100000")]
    [InlineData("--methods", "rome")]
    [InlineData("--report", "no/such/folder/report.html")]
    public void ADemoOptionOutOfRangeIsNamed(string option, string value)
    {
        string report = elder.PathOf("report.html");
        string[] reported = option == "--report" ? [] : ["--report", report];
        Refused(Elder.Run(["demo", "--model", Elder.Model, .. reported, option, value]), value);
        Assert.False(File.Exists(report));
    }

    [Fact]
    public void ADemoWithoutAWorldNamesTheFile() =>
        Refused(Elder.Run("demo", "--model", elder.CopyOfModel(), "--report", elder.PathOf("r.html")), "relations.json");

    [Fact]
    public void ACommandWithoutWhatItNeedsSaysSo()
    {
        Refused(Elder.Run(), "ommand");
        Refused(Elder.Run("edit", "--model", Elder.Model), "--edits");
        Refused(Elder.Run("ask", "Person1", "--model", Elder.Model), "--state");
        Refused(Elder.Run("generate", " ", "--model", Elder.Model), "prompt");
    }

    [Fact]
    public void AnOutputThatExistsIsLeftAlone()
    {
        Directory.CreateDirectory(elder.PathOf("out"));
        File.WriteAllText(elder.PathOf("out/mine.txt"), "mine");
        Outcome outcome = Elder.Run("edit", "--model", Elder.Model, "--edits", elder.Write("good.jsonl", Good), "--out", elder.PathOf("out"));
        Assert.Equal(Program.BadInput, outcome.Code);
        Assert.Contains("out", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(["mine.txt"], Directory.GetFileSystemEntries(elder.PathOf("out")).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("--lr", "0")]
    [InlineData("--lr", "-1")]
    [InlineData("--lr", "NaN")]
    [InlineData("--iterations", "0")]
    [InlineData("--task-examples", "0")]
    [InlineData("--data", "other.jsonl")]
    [InlineData("--tasks", "no/such/folder")]
    public void AnEditOptionOutOfRangeIsNamed(string option, string value) => Refused(Edit([option, value]), option == "--tasks" ? "jsonl" : option);

    [Fact]
    public void ANumberOfEditsNeedsTheFile() => Refused(Edit(edits: "1000"), "--data", "1000");

    [Fact]
    public void AStateThatIsNotThereIsNamed()
    {
        Refused(Elder.Run("ask", "Person1", "--model", Elder.Model, "--state", elder.PathOf("nothing")), "nothing");
        Refused(Edit(["--resume"]), "out");
    }

    public void Dispose() => elder.Dispose();

    private Outcome Edit(string[]? more = null, string? model = null, string? edits = null) => Elder.Run(
        ["edit", "--model", model ?? Elder.Model, "--edits", edits ?? elder.Write("good.jsonl", Good), "--out", elder.PathOf("out"), .. more ?? []]);

    private void Refused(Outcome outcome, params string[] says)
    {
        Assert.Equal((Program.BadInput, ""), (outcome.Code, outcome.Out));
        string line = Assert.Single(outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.All(says, part => Assert.Contains(part, line, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", line, StringComparison.Ordinal);
        Assert.False(Path.Exists(elder.PathOf("out")));
    }
}
