using ElderManaged.Evaluation.Harness;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace ElderManaged.Evaluation.Reports;

/// <summary>The charts of the report, as SVG text.</summary>
internal static class ReportCharts
{
    private const double Width = 860, Height = 340;
    private static readonly string[] Palette = ["#1b6ca8", "#7fb3d5", "#b8500c", "#f0a868", "#4a7d3a", "#a3c586"];

    /// <summary>Groups of vertical bars in percent, one group for each method; a missing figure is a gap.</summary>
    public static string Bars(string title, IReadOnlyList<MethodResult> methods, params (string Name, Func<MethodResult, double?> Value)[] figures)
    {
        PlotModel plot = Plot(title);
        CategoryAxis names = new() { Position = AxisPosition.Bottom, Key = "methods", GapWidth = 0.5 };
        names.Labels.AddRange(methods.Select(m => EditMethods.Label(m.Name)));
        plot.Axes.Add(names);
        plot.Axes.Add(Percent("share"));
        for (int f = 0; f < figures.Length; f++)
        {
            BarSeries bars = new()
            {
                Title = Roomy(figures[f].Name), XAxisKey = "share", YAxisKey = "methods", FillColor = OxyColor.Parse(Palette[f]), StrokeThickness = 0,
            };
            bars.Items.AddRange(methods.Select((m, i) => new BarItem(100 * (figures[f].Value(m) ?? 0), i)));
            plot.Series.Add(bars);
        }

        return Svg(plot);
    }

    /// <summary>Reliability along the stream, one line for each method that edits.</summary>
    public static string Curves(string title, IEnumerable<MethodOutcome> outcomes)
    {
        PlotModel plot = Plot(title);
        plot.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = "edits learned", Minimum = 0 });
        plot.Axes.Add(Percent("share"));
        int index = 0;
        foreach (MethodOutcome outcome in outcomes.Where(o => o.Curve.Count > 0))
        {
            LineSeries line = new()
            {
                Title = Roomy(EditMethods.Label(outcome.Result.Name)), YAxisKey = "share", StrokeThickness = 2, MarkerType = MarkerType.Circle, MarkerSize = 3,
                Color = OxyColor.Parse(Palette[index * 2 % Palette.Length + (index * 2 / Palette.Length)]),
            };
            line.Points.AddRange(outcome.Curve.Select(p => new DataPoint(p.Edits, 100 * p.Reliability)));
            plot.Series.Add(line);
            index++;
        }

        return Svg(plot);
    }

    private static PlotModel Plot(string title)
    {
        PlotModel plot = new()
        {
            Title = title, TitleFontSize = 14, DefaultFont = "Arial", PlotAreaBorderThickness = new OxyThickness(1, 0, 0, 1),
            Background = OxyColors.White,
        };
        plot.Legends.Add(new Legend
        {
            LegendPosition = LegendPosition.RightTop, LegendPlacement = LegendPlacement.Outside, LegendLineSpacing = 6,
        });
        return plot;
    }

    private static LinearAxis Percent(string key) => new()
    {
        Position = AxisPosition.Left, Key = key, Minimum = 0, Maximum = 105, MajorStep = 20, Title = "%",
        MajorGridlineStyle = LineStyle.Solid, MajorGridlineColor = OxyColor.Parse("#e6e6e6"),
    };

    // The exporter measures text with metrics of its own and cuts legends there; a browser's font is wider.
    private static string Roomy(string name) => name + new string('\u00A0', 2 + (name.Length / 3));

    private static string Svg(PlotModel plot)
    {
        string svg = new SvgExporter { Width = Width, Height = Height, IsDocument = false }.ExportToString(plot);

        // All charts share one page, where an id must be of one chart only.
        string own = string.Concat(plot.Title.Where(char.IsAsciiLetter));
        return svg.Replace("id=\"clipPath", $"id=\"{own}", StringComparison.Ordinal).Replace("url(#clipPath", $"url(#{own}", StringComparison.Ordinal);
    }
}
