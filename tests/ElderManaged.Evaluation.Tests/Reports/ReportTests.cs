using System.Text.Json;
using System.Text.RegularExpressions;
using ElderManaged.Editing;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Reports;

namespace ElderManaged.Evaluation.Tests.Reports;

public sealed class ReportTests
{
    private static readonly MethodResult Base = new() { Name = "base", Reliability = new Readings(0, 0.25), Retention = 0.5, RetentionBase = 0.5 };

    private static readonly MethodResult Ours = new()
    {
        Name = "elder", Reliability = new Readings(1, 0.99), Generalization = new Readings(2 / 3.0, 0.5), DeferralOfTasks = 1, DeferralOfUnedited = 0.98,
        ScopeRecall = 0.97, Retention = 0.501, RetentionBase = 0.5, SecondsPerEdit = 0.1234567, AddedParameters = 12345,
    };

    private static readonly ExperimentResult Result = new(200, 100, [Base, Ours]);

    [Fact]
    public void JsonIsTheAgreedObject()
    {
        string expected = """
            {"edits":200,"facts":100,"methods":[
            {"name":"base","reliability":{"teacherForced":0,"generated":0.25},"generalization":{"teacherForced":null,"generated":null},
             "deferralRecall":{"tasks":null,"unedited":null},"scopeRecall":null,"retention":0.5,"retentionBase":0.5,"secondsPerEdit":0,"addedParameters":0},
            {"name":"elder","reliability":{"teacherForced":1,"generated":0.99},"generalization":{"teacherForced":0.666667,"generated":0.5},
             "deferralRecall":{"tasks":1,"unedited":0.98},"scopeRecall":0.97,"retention":0.501,"retentionBase":0.5,"secondsPerEdit":0.123457,"addedParameters":12345}],
            "state":"a\"b"}
            """;
        Assert.Equal(JsonSerializer.Serialize(JsonDocument.Parse(expected)), JsonSerializer.Serialize(JsonDocument.Parse(ResultJson.Write(Result, "a\"b"))));
        Assert.False(JsonDocument.Parse(ResultJson.Write(Result)).RootElement.TryGetProperty("state", out _));
    }

    [Fact]
    public void JsonShowsTheBaseAndAnswersAsText()
    {
        ExperimentResult result = new(1, 1, [Ours with { DeferralOfLocality = 0.875 }])
        {
            Base = Base, Answers = [new AnswerSample("Who?", Rephrased: true, Wanted: "Ada", Base: "Bob", Edited: "Ada", InScope: true)],
        };
        JsonElement json = JsonDocument.Parse(ResultJson.Write(result, "s")).RootElement;
        Assert.Equal(["edits", "facts", "methods", "base", "answers", "state"], json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(0.25, json.GetProperty("base").GetProperty("reliability").GetProperty("generated").GetDouble());
        Assert.Equal(0.875, json.GetProperty("methods")[0].GetProperty("deferralRecall").GetProperty("locality").GetDouble());
        Assert.Equal(
            """{"prompt":"Who?","rephrased":true,"wanted":"Ada","base":"Bob","edited":"Ada","inScope":true}""",
            JsonSerializer.Serialize(Assert.Single(json.GetProperty("answers").EnumerateArray())));
    }

    [Fact]
    public void TheTableShowsADashForWhatAMethodHasNot()
    {
        Assert.Equal(["Base", "0.0", "25.0", "–", "–", "–", "–", "–", "50.0", "50.0", "–", "–"], ResultColumns.All.Select(c => c.Text(Base)));
        Assert.Equal(
            ["ELDER (ours)", "100.0", "99.0", "66.7", "50.0", "100.0", "98.0", "97.0", "50.1", "50.0", "0.123", "12,345"],
            ResultColumns.All.Select(c => c.Text(Ours)));
    }

    [Fact]
    public void TheReportHoldsEverythingAndFetchesNothing()
    {
        AnswerOutcome answer = new(new EditRequest("Is 1 < 2 & <b>true</b>?", "\"no\""), true, true, "<no>", default);
        MethodOutcome[] outcomes =
        [
            new(Base, [answer, answer], [], [], [], []), new(Ours, [answer, answer], [], [], [], [new CurvePoint(100, 0.9), new CurvePoint(200, 1)]),
        ];
        string html = HtmlReport.Write("A & B", [("Seed", "1")], Result, outcomes, ["yes", "yes"]);
        Assert.Equal(3, html.Split("<svg").Length - 1);
        Assert.Contains("ELDER (ours)", html, StringComparison.Ordinal);
        Assert.Contains("12,345", html, StringComparison.Ordinal);
        Assert.Contains("Is 1 &lt; 2 &amp; &lt;b&gt;true&lt;/b&gt;?", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>true", html, StringComparison.Ordinal);
        string[] ids = [.. Regex.Matches(html, "id=\"([^\"]*)\"").Select(m => m.Groups[1].Value)];
        Assert.Equal(ids.Distinct(), ids);
        Assert.All(Regex.Matches(html, "url\\(([^)]*)\\)").Select(m => m.Groups[1].Value), target => Assert.Contains(target.TrimStart('#'), ids));
        Assert.All((string[])["<script", "<link", "src=", "@import"], part => Assert.DoesNotContain(part, html, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void AReportWithoutEditsStillShowsTheTable() =>
        Assert.Contains("<svg", HtmlReport.Write("t", [], new ExperimentResult(0, 0, [Base]), [new(Base, [], [], [], [], [])], []), StringComparison.Ordinal);
}
