using System.Globalization;
using System.Xml.Linq;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Reports;

namespace ElderManaged.Evaluation.Tests.Reports;

/// <summary>The charts are well-formed, true to the figures, and stay inside their frame.</summary>
public sealed class ReportChartsTests
{
    private static readonly XNamespace None = XNamespace.None;

    [Fact]
    public void BarsAreAsHighAsTheirFiguresAndGapsWhereThereIsNone()
    {
        XElement chart = XElement.Parse(ReportCharts.Bars("A < B & \"C\"", [Method("elder", 1, 0.5), Method("<other>", 0.25, null)],
            ("first", m => m.Reliability.TeacherForced), ("second", m => m.DeferralOfTasks)));
        Assert.Equal("A < B & \"C\"", (string?)chart.Attribute("aria-label"));
        XElement[] bars = [.. chart.Elements(None + "rect").Where(rect => rect.Element("title") is not null)];
        Assert.Equal(3, bars.Length);
        double full = Number(bars[0], "height");
        Assert.Equal(full / 2, Number(bars[1], "height"), 0.1);
        Assert.Equal(full / 4, Number(bars[2], "height"), 0.1);
        Assert.Equal("ELDER (ours): first 100.0", (string?)bars[0].Element("title"));
        double bottom = Number(bars[0], "y") + full;
        Assert.All(bars, bar => Assert.Equal(bottom, Number(bar, "y") + Number(bar, "height"), 0.2));
        Assert.Equal(Number(bars[0], "x") + Number(bars[0], "width"), Number(bars[1], "x"), 0.2);
        Assert.Contains(chart.Elements("text"), text => text.Value == "<other>");
        Assert.Contains(chart.Elements("text"), text => text.Value == "second");
    }

    [Fact]
    public void CurvesRunFromLeftToRightInsideTheFrame()
    {
        MethodOutcome outcome = new(Method("elder", 1, null), [], [], [], [], [new CurvePoint(50, 0), new CurvePoint(100, 0.5), new CurvePoint(200, 1)]);
        MethodOutcome still = new(Method("base", 0, null), [], [], [], [], []);
        XElement chart = XElement.Parse(ReportCharts.Curves("t", [still, outcome]));
        string points = (string)Assert.Single(chart.Elements("polyline")).Attribute("points")!;
        double[][] drawn = [.. points.Split(' ').Select(p => p.Split(',').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToArray())];
        Assert.Equal(3, drawn.Length);
        Assert.Equal(2 * (drawn[1][0] - drawn[0][0]), drawn[2][0] - drawn[1][0], 0.2);
        Assert.Equal(drawn[0][1] - drawn[1][1], drawn[1][1] - drawn[2][1], 0.2);
        Assert.True(drawn[0][1] > drawn[2][1]);
        Assert.All(drawn, p => Assert.True(p[0] is > 0 and < 860 && p[1] is > 0 and < 340));
        Assert.Equal(3, chart.Elements("circle").Count());
        Assert.DoesNotContain(chart.Elements("text"), text => text.Value == "Base");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 1)]
    [InlineData(8, 2)]
    [InlineData(20, 5)]
    [InlineData(200, 50)]
    [InlineData(1000, 200)]
    [InlineData(int.MaxValue, 500_000_000)]
    public void AxesHaveFewRoundMarks(int most, int step) => Assert.Equal(step, ReportCharts.TickStep(most));

    private static MethodResult Method(string name, double reliability, double? deferral) => new()
    {
        Name = name, Reliability = new Readings(reliability, reliability), DeferralOfTasks = deferral,
    };

    private static double Number(XElement element, string name) => double.Parse((string)element.Attribute(name)!, CultureInfo.InvariantCulture);
}
