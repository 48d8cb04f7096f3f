using System.Text.Json;
using ElderManaged.Editing;
using ElderManaged.Editing.Elder;
using ElderManaged.Editing.Journal;
using ElderManaged.Models.Generation;

namespace ElderManaged.Cli.Tests.Commands;

public sealed class CommandTests : IDisposable
{
    private static readonly string[] MethodFields =
        ["name", "reliability", "generalization", "deferralRecall", "scopeRecall", "retention", "retentionBase", "secondsPerEdit", "addedParameters"];

    private readonly Elder elder = new();

    [Fact]
    public void GenerateContinuesGreedily()
    {
        ElderModel model = ElderModel.Load(Elder.Model);
        PromptBatch batch = PromptBatch.OfBase(model.Transformer, [model.Encoder.EncodePrompt("wording 1: Person1 plays the")]);
        int[] expected = Generator.Generate(batch, new GenerationOptions { MaxTokens = 12, IgnoreEnd = true })[0];
        Outcome outcome = Elder.Run("generate", "wording 1: Person1 plays the", "--model", Elder.Model, "--max-tokens", "12", "--ignore-end", "--json");
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Equal(["ids", "text"], outcome.Json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(expected, outcome.Json.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()));
        Assert.Equal(model.Tokenizer.Decode(expected), outcome.Json.GetProperty("text").GetString());
    }

    [Fact]
    public void GenerateDrawsBySeed()
    {
        string Draw(string seed) => Elder.Run(
            "generate", "Person1", "--model", Elder.Model, "--max-tokens", "20", "--temperature", "2", "--top-k", "50", "--top-p", "0.95", "--seed", seed, "--json").Out;
        Assert.Equal(Draw("1"), Draw("1"));
        Assert.NotEqual(Draw("1"), Draw("2"));
    }

    [Theory]
    [InlineData("lora")]
    [InlineData("elder")]
    public void EditLearnsMeasuresAndSavesWhatAskThenAnswers(string preset)
    {
        string[] edit = ["edit", "--model", Elder.Model, "--edits", Edits(6), "--out", elder.PathOf("state"), "--preset", preset, "--limit", "5", "--json"];
        Outcome outcome = Elder.Run(edit);
        Assert.Equal(0, outcome.Code);
        Assert.Equal(["edits", "facts", "methods", "base", "answers", "learned", "peakMemoryBytes", "state"], outcome.Json.EnumerateObject().Select(p => p.Name));
        Assert.Equal((5, 5), (outcome.Json.GetProperty("edits").GetInt32(), outcome.Json.GetProperty("facts").GetInt32()));
        JsonElement method = Assert.Single(outcome.Json.GetProperty("methods").EnumerateArray());
        Assert.Equal(MethodFields, method.EnumerateObject().Select(p => p.Name));
        Assert.Equal(preset, method.GetProperty("name").GetString());
        Assert.True(method.GetProperty("addedParameters").GetInt64() > 0);
        Assert.Equal(preset == "lora", method.GetProperty("scopeRecall").ValueKind == JsonValueKind.Null);
        JsonElement learned = outcome.Json.GetProperty("learned");
        Assert.Equal(5, learned.GetProperty("edits").GetInt32());
        Assert.Equal(method.GetProperty("addedParameters").GetInt64(), learned.GetProperty("addedParameters").GetInt64());
        Assert.True(outcome.Json.GetProperty("peakMemoryBytes").GetInt64() > 1 << 20);
        Assert.Equal("base", outcome.Json.GetProperty("base").GetProperty("name").GetString());
        JsonElement[] answers = [.. outcome.Json.GetProperty("answers").EnumerateArray()];
        Assert.Equal((10, 5), (answers.Length, answers.Count(a => a.GetProperty("rephrased").GetBoolean())));
        Assert.Equal(elder.PathOf("state"), outcome.Json.GetProperty("state").GetString());
        Assert.Contains("editing", outcome.Error, StringComparison.Ordinal);

        Outcome answer = Elder.Run("ask", "Person1 plays the", "--model", Elder.Model, "--state", elder.PathOf("state"), "--json");
        Assert.Equal(0, answer.Code);
        Assert.True(answer.Json.GetProperty("inScope").GetBoolean());
        using EditorSession session = ElderModel.Open(elder.PathOf("state"));
        Assert.Equal(session.Ask("Person1 plays the").Text, answer.Json.GetProperty("text").GetString());
        Assert.Equal(5, session.Facts.Count);
    }

    [Fact]
    public void AskSaysWhetherTheEditsActed()
    {
        Elder.Run("edit", "--model", Elder.Model, "--edits", Edits(4), "--out", elder.PathOf("state"));
        Outcome inside = Elder.Run("ask", "Person1 plays the", "--model", Elder.Model, "--state", elder.PathOf("state"));
        Assert.Contains("(in scope", inside.Out, StringComparison.Ordinal);
        Outcome outside = Elder.Run("ask", "a nli of Ova:", "--model", Elder.Model, "--state", elder.PathOf("state"));
        Assert.Contains("(out of scope", outside.Out, StringComparison.Ordinal);
        string alone = Elder.Run("generate", "a nli of Ova:", "--model", Elder.Model, "--max-tokens", "20").Out;
        Assert.Equal(alone.Trim(), outside.Out.Split('\n')[0].Trim());
    }

    [Fact]
    public void AStoppedStreamKeepsTheFinishedBatchesAndGoesOnWhereItStopped()
    {
        string edits = Edits(12);
        string[] edit = ["edit", "--model", Elder.Model, "--edits", edits, "--preset", "lora", "--json"];
        Outcome whole = Elder.Run([.. edit, "--out", elder.PathOf("whole")]);
        using CancellationTokenSource stop = new();
        using StringWriter output = new();
        using StoppingWriter error = new("editing 4/12", stop);
        Assert.Equal(Program.Cancelled, Program.Run([.. edit, "--out", elder.PathOf("state")], output, error, stop.Token));
        Assert.Equal("", output.ToString());
        Assert.Contains("Stopped after 4 of 12", error.ToString(), StringComparison.Ordinal);
        using (EditorSession session = ElderModel.Open(elder.PathOf("state")))
        {
            Assert.Equal(4, session.Facts.Count);
        }

        Outcome resumed = Elder.Run([.. edit, "--out", elder.PathOf("state"), "--resume"]);
        Assert.Equal(0, resumed.Code);
        JsonElement Method(Outcome o) => o.Json.GetProperty("methods")[0];
        Assert.Equal(Method(whole).GetProperty("reliability").GetRawText(), Method(resumed).GetProperty("reliability").GetRawText());
        Assert.Equal(Method(whole).GetProperty("retention").GetRawText(), Method(resumed).GetProperty("retention").GetRawText());
        string Answer(string state) => Elder.Run("ask", "Person9 plays the", "--model", Elder.Model, "--state", elder.PathOf(state)).Out;
        Assert.Equal(Answer("whole"), Answer("state"));

        Outcome other = Elder.Run(["edit", "--model", Elder.Model, "--edits", Edits(3), "--preset", "lora", "--out", elder.PathOf("state"), "--resume"]);
        Assert.Equal(Program.BadInput, other.Code);
        Outcome method = Elder.Run(["edit", "--model", Elder.Model, "--edits", edits, "--preset", "ft-l", "--out", elder.PathOf("state"), "--resume"]);
        Assert.Contains("--preset lora", method.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void DemoComparesAllMethodsAndWritesAReport()
    {
        string report = elder.PathOf("report.html");
        Outcome outcome = Elder.Run("demo", "--model", Elder.Model, "--edits", "8", "--report", report, "--json");
        Assert.True(outcome.Code == 0, outcome.Error);
        Assert.True(File.Exists(report));
        Assert.Equal(["edits", "facts", "methods"], outcome.Json.EnumerateObject().Select(p => p.Name));
        Assert.Equal((8, 4), (outcome.Json.GetProperty("edits").GetInt32(), outcome.Json.GetProperty("facts").GetInt32()));
        JsonElement[] methods = [.. outcome.Json.GetProperty("methods").EnumerateArray()];
        Assert.Equal(["base", "ft-l", "lora", "elder-paper", "elder"], methods.Select(m => m.GetProperty("name").GetString()));
        Assert.All(methods, m => Assert.Equal(MethodFields, m.EnumerateObject().Select(p => p.Name)));
        Assert.Contains("ELDER (paper)", File.ReadAllText(report), StringComparison.Ordinal);
        Assert.Contains("left", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void DemoPrintsATable()
    {
        Outcome outcome = Elder.Run("demo", "--model", Elder.Model, "--edits", "4", "--report", elder.PathOf("r.html"), "--methods", "base,ft-l");
        Assert.Equal(0, outcome.Code);
        Assert.Contains("Reliability", outcome.Out, StringComparison.Ordinal);
        Assert.Contains("FT-L", outcome.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("ELDER", outcome.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void EditTakesRateAndIterationsAndCanOnlyLearn()
    {
        Outcome outcome = Elder.Run(
            "edit", "--model", Elder.Model, "--data", Edits(6), "--edits", "3", "--out", elder.PathOf("state"), "--preset", "paper",
            "--lr", "0.002", "--iterations", "3", "--learn-only");
        Assert.True(outcome.Code == 0, outcome.Error);
        Assert.Contains("Learned 3 edits", outcome.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("Reliability", outcome.Out, StringComparison.Ordinal);
        StateInfo info = EditState.ReadInfo(elder.PathOf("state"));
        ElderOptions options = ElderOptions.FromJson(info.Options);
        Assert.Equal(("elder-paper", 0.002f, 3), (info.Method, options.LearningRate, options.Iterations));

        // Nothing is left to learn, so this only asks.
        Outcome asked = Elder.Run(
            "edit", "--model", Elder.Model, "--edits", Edits(6), "--limit", "3", "--out", elder.PathOf("state"), "--preset", "elder-paper", "--resume");
        Assert.True(asked.Code == 0, asked.Error);
        Assert.Contains("Learned 0 edits", asked.Out, StringComparison.Ordinal);
        Assert.Contains("ELDER (paper)", asked.Out, StringComparison.Ordinal);
        Assert.Contains("wanted: drum", asked.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void HelpIsNoError()
    {
        Outcome outcome = Elder.Run("edit", "--help");
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("--resume", outcome.Out, StringComparison.Ordinal);
    }

    public void Dispose() => elder.Dispose();

    private string Edits(int count) => elder.Write($"edits{count}.jsonl", string.Join('\n', Enumerable.Range(1, count).Select(i =>
        $$"""{"prompt":"Person{{i}} plays the","target":"{{(i % 2 == 0 ? "violin" : "drum")}}","subject":"Person{{i}}","rephrasings":["wording 1: Person{{i}} plays the"]}""")));

    /// <summary>Cancels when a text comes by, as a person does who watches.</summary>
    private sealed class StoppingWriter(string at, CancellationTokenSource stop) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains(at, StringComparison.Ordinal) == true)
            {
                stop.Cancel();
            }
        }
    }
}
