using System.Text.Json;

namespace ElderManaged.Cli.Tests.Commands;

/// <summary>The main job on the model that ships, with the promises the README makes for it.</summary>
public sealed class ShippedModelTests
{
    [Fact]
    public void EditsOfTheShippedModelAreKeptGeneralisedAndLeaveTheRestAlone()
    {
        using Elder elder = new();
        Outcome outcome = Elder.Run("demo", "--methods", "elder", "--edits", "80", "--seed", "3", "--report", elder.PathOf("report.html"), "--json");
        Assert.Equal(0, outcome.Code);
        JsonElement method = outcome.Json.GetProperty("methods")[0];
        double Figure(string name, string? part = null) =>
            (part is null ? method.GetProperty(name) : method.GetProperty(name).GetProperty(part)).GetDouble();
        foreach (string reading in new[] { "teacherForced", "generated" })
        {
            Assert.InRange(Figure("reliability", reading), 0.98, 1);
            Assert.InRange(Figure("generalization", reading), 0.93, 1);
        }

        Assert.InRange(Figure("deferralRecall", "tasks"), 0.99, 1);
        Assert.InRange(Figure("deferralRecall", "unedited"), 0.97, 1);
        Assert.InRange(Figure("scopeRecall"), 0.97, 1);
        Assert.InRange(Figure("retention"), Figure("retentionBase") - 0.005, 1);
    }
}
