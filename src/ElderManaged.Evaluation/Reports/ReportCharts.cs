using System.Globalization;
using System.Net;
using System.Text;
using ElderManaged.Evaluation.Harness;

namespace ElderManaged.Evaluation.Reports;

/// <summary>
/// The charts of the report, as SVG text for a page of HTML. Two kinds of one look are all that is needed, so they are
/// written out here: no drawing library to carry into a trimmed program.
/// </summary>
/// <remarks>
/// <code>
///      title
///   % |                       ■ legend
///  100|  ▆▅    ▇▇             ■ legend
///   80|  ██    ██
///     +-----------------
///       name   name
/// </code>
/// </remarks>
internal static class ReportCharts
{
    private const int Width = 860, Height = 340;
    private const int Left = 52, Right = 610, Top = 40, Bottom = 290; // the plot; the legend is to the right of it
    private const int LegendX = 628, LegendLine = 20, Swatch = 11;
    private const int MostPercent = 105, PercentStep = 20;            // some room above 100, so that a full bar has an edge
    private const double BarsOfGroup = 2.0 / 3;                       // the rest is the gap between groups
    private const int MostTicks = 8;
    private static readonly string[] Palette = ["#1b6ca8", "#7fb3d5", "#b8500c", "#f0a868", "#4a7d3a", "#a3c586"];

    /// <summary>Groups of vertical bars in percent, one group for each method; a missing figure is a gap.</summary>
    public static string Bars(string title, IReadOnlyList<MethodResult> methods, params (string Name, Func<MethodResult, double?> Value)[] figures)
    {
        StringBuilder svg = Begin(title);
        double group = (double)(Right - Left) / Math.Max(1, methods.Count), width = group * BarsOfGroup / figures.Length;
        for (int m = 0; m < methods.Count; m++)
        {
            string method = EditMethods.Label(methods[m].Name);
            double middle = Left + ((m + 0.5) * group);
            Label(svg, middle, Bottom + 18, "middle", method);
            for (int f = 0; f < figures.Length; f++)
            {
                if (figures[f].Value(methods[m]) is double share)
                {
                    double x = middle + ((f - (figures.Length / 2.0)) * width), y = Y(100 * share);
                    svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{x:0.#}\" y=\"{y:0.#}\" width=\"{width:0.#}\" height=\"{Bottom - y:0.#}\" fill=\"{Palette[f]}\">");
                    svg.Append(CultureInfo.InvariantCulture, $"<title>{Text(method)}: {Text(figures[f].Name)} {100 * share:0.0}</title></rect>\n");
                }
            }
        }

        return End(svg, [.. figures.Select((figure, f) => (figure.Name, Palette[f]))]);
    }

    /// <summary>Reliability along the stream, one line for each method that edits.</summary>
    public static string Curves(string title, IEnumerable<MethodOutcome> outcomes)
    {
        MethodOutcome[] drawn = [.. outcomes.Where(o => o.Curve.Count > 0)];
        StringBuilder svg = Begin(title);
        int most = drawn.Length == 0 ? 1 : Math.Max(1, drawn.Max(o => o.Curve.Max(p => p.Edits)));
        double X(double edits) => Left + ((Right - Left) * edits / most);
        for (long edits = 0, step = TickStep(most); edits <= most; edits += step)
        {
            Label(svg, X(edits), Bottom + 18, "middle", edits.ToString(CultureInfo.InvariantCulture));
        }

        Label(svg, (Left + Right) / 2.0, Bottom + 38, "middle", "edits learned");
        List<(string Name, string Colour)> legend = [];
        foreach (MethodOutcome outcome in drawn)
        {
            // Every other colour first: neighbours in the palette are shades of one.
            int index = legend.Count * 2;
            string colour = Palette[((index % Palette.Length) + (index / Palette.Length)) % Palette.Length], method = EditMethods.Label(outcome.Result.Name);
            legend.Add((method, colour));
            string points = string.Join(' ', outcome.Curve.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.Edits):0.#},{Y(100 * p.Reliability):0.#}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n");
            foreach (CurvePoint p in outcome.Curve)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(p.Edits):0.#}\" cy=\"{Y(100 * p.Reliability):0.#}\" r=\"3\" fill=\"{colour}\">");
                svg.Append(CultureInfo.InvariantCulture, $"<title>{Text(method)}: {100 * p.Reliability:0.0} after {p.Edits} edits</title></circle>\n");
            }
        }

        return End(svg, legend);
    }

    /// <summary>The distance of marks on an axis from 0 to <paramref name="most"/>: 1, 2 or 5 times a power of ten, few enough to read.</summary>
    internal static int TickStep(int most)
    {
        int power = 1;
        while (true)
        {
            foreach (int digit in (int[])[1, 2, 5])
            {
                if (most / ((long)digit * power) < MostTicks)
                {
                    return digit * power;
                }
            }

            power *= 10;
        }
    }

    private static StringBuilder Begin(string title)
    {
        StringBuilder svg = new();
        svg.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" height=\"{Height}\" role=\"img\" aria-label=\"{Text(title)}\" font-family=\"Arial, sans-serif\" font-size=\"12\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{(Left + Right) / 2}\" y=\"20\" text-anchor=\"middle\" font-size=\"14\" font-weight=\"bold\">{Text(title)}</text>\n");
        for (int percent = 0; percent <= MostPercent; percent += PercentStep)
        {
            double y = Y(percent);
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" y1=\"{y:0.#}\" x2=\"{Right}\" y2=\"{y:0.#}\" stroke=\"#e6e6e6\"/>\n");
            Label(svg, Left - 8, y + 4, "end", percent.ToString(CultureInfo.InvariantCulture));
        }

        Label(svg, Left - 8, Top - 8, "end", "%");
        return svg;
    }

    private static string End(StringBuilder svg, List<(string Name, string Colour)> legend)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left} {Top}V{Bottom}H{Right}\" fill=\"none\" stroke=\"#222\"/>\n");
        for (int i = 0; i < legend.Count; i++)
        {
            int y = Top + (i * LegendLine);
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{LegendX}\" y=\"{y}\" width=\"{Swatch}\" height=\"{Swatch}\" fill=\"{legend[i].Colour}\"/>\n");
            Label(svg, LegendX + Swatch + 7, y + 10, "start", legend[i].Name);
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static double Y(double percent) => Bottom - ((Bottom - Top) * percent / MostPercent);

    private static void Label(StringBuilder svg, double x, double y, string anchor, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\">{Text(text)}</text>\n");

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
