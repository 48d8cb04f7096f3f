using System.Globalization;
using System.Net;
using System.Text;
using ElderManaged.Evaluation.Harness;

namespace ElderManaged.Evaluation.Reports;

/// <summary>
/// A report in one file: the table, charts and some answers before and after. Nothing in it is fetched from anywhere.
/// </summary>
public static class HtmlReport
{
    private const int Examples = 10;

    private const string Style = """
        body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
        table { border-collapse: collapse; margin: 1em 0; font-size: 13px; }
        th, td { border-bottom: 1px solid #ddd; padding: .35em .6em; text-align: right; }
        th { background: #f5f5f5; } td:first-child, th:first-child, table.text td, table.text th { text-align: left; }
        td.right { color: #2c6b1f; } td.wrong { color: #a33; } svg { max-width: 100%; height: auto; } dt { font-weight: 600; }
        """;

    /// <summary>The report as HTML.</summary>
    /// <param name="title">The heading.</param>
    /// <param name="facts">What was run: name and value, in order.</param>
    /// <param name="result">The figures.</param>
    /// <param name="outcomes">The outcomes behind them, in the same order.</param>
    /// <param name="truths">What was true of each edited prompt before; may be empty.</param>
    public static string Write(
        string title, IReadOnlyList<(string Name, string Value)> facts, ExperimentResult result,
        IReadOnlyList<MethodOutcome> outcomes, IReadOnlyList<string> truths)
    {
        ArgumentNullException.ThrowIfNull(facts);
        ArgumentNullException.ThrowIfNull(result);
        ArgumentNullException.ThrowIfNull(outcomes);
        ArgumentNullException.ThrowIfNull(truths);
        StringBuilder html = new();
        html.Append(CultureInfo.InvariantCulture, $"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{Text(title)}</title>\n<style>\n{Style}\n</style></head><body>\n<h1>{Text(title)}</h1>\n");
        html.Append("<table class=\"text\">\n");
        foreach ((string name, string value) in facts)
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><th>{Text(name)}</th><td>{Text(value)}</td></tr>\n");
        }

        html.Append("</table>\n<h2>Results</h2>\n<p>Shares in percent. <em>Forced</em>: every target token is the most likely one after the true tokens before it; <em>generated</em>: the model, left to itself, writes the target and ends.</p>\n");
        AppendTable(html, result.Methods);
        html.Append(ReportCharts.Bars(
            "Edits kept and generalised", result.Methods,
            ("reliability, forced", m => m.Reliability.TeacherForced), ("reliability, generated", m => m.Reliability.Generated),
            ("generalization, forced", m => m.Generalization?.TeacherForced), ("generalization, generated", m => m.Generalization?.Generated)));
        html.Append(ReportCharts.Bars(
            "What was left alone", result.Methods,
            ("deferral, tasks", m => m.DeferralOfTasks), ("deferral, unedited", m => m.DeferralOfUnedited),
            ("scope recall", m => m.ScopeRecall), ("retention", m => m.Retention), ("retention, base", m => m.RetentionBase)));
        if (outcomes.Any(o => o.Curve.Count > 0))
        {
            html.Append(ReportCharts.Curves("Reliability of the edits so far, forced", outcomes));
        }

        AppendExamples(html, outcomes, truths);
        return html.Append("</body></html>\n").ToString();
    }

    private static void AppendTable(StringBuilder html, IReadOnlyList<MethodResult> methods)
    {
        html.Append("<table>\n<tr>");
        foreach (ResultColumn column in ResultColumns.All)
        {
            html.Append(CultureInfo.InvariantCulture, $"<th>{Text(column.Group)}{(column.Header.Length > 0 ? "<br>" + Text(column.Header) : "")}</th>");
        }

        html.Append("</tr>\n");
        foreach (MethodResult method in methods)
        {
            html.Append("<tr>");
            foreach (ResultColumn column in ResultColumns.All)
            {
                html.Append(CultureInfo.InvariantCulture, $"<td>{Text(column.Text(method))}</td>");
            }

            html.Append("</tr>\n");
        }

        html.Append("</table>\n");
    }

    // Spread over the stream, so that early edits are seen as well as late ones.
    private static void AppendExamples(StringBuilder html, IReadOnlyList<MethodOutcome> outcomes, IReadOnlyList<string> truths)
    {
        int count = outcomes.Count == 0 ? 0 : outcomes[0].Edited.Count;
        int shown = Math.Min(Examples, count);
        if (shown == 0)
        {
            return;
        }

        html.Append("<h2>Answers after the whole stream</h2>\n<table class=\"text\">\n<tr><th>Prompt</th>");
        html.Append(truths.Count > 0 ? "<th>Was</th>" : "").Append("<th>Edited to</th>");
        foreach (MethodOutcome outcome in outcomes)
        {
            html.Append(CultureInfo.InvariantCulture, $"<th>{Text(EditMethods.Label(outcome.Result.Name))}</th>");
        }

        html.Append("</tr>\n");
        for (int e = 0; e < shown; e++)
        {
            int i = (int)((long)e * count / shown);
            AnswerOutcome first = outcomes[0].Edited[i];
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{Text(first.Request.Prompt)}</td>");
            html.Append(truths.Count > 0 ? $"<td>{Text(truths[i])}</td>" : "").Append(CultureInfo.InvariantCulture, $"<td>{Text(first.Request.Target)}</td>");
            foreach (MethodOutcome outcome in outcomes)
            {
                AnswerOutcome answer = outcome.Edited[i];
                html.Append(CultureInfo.InvariantCulture, $"<td class=\"{(answer.Generated ? "right" : "wrong")}\">{Text(answer.Text)}</td>");
            }

            html.Append("</tr>\n");
        }

        html.Append("</table>\n");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
