using System.Globalization;
using ElderManaged.Evaluation.Harness;

namespace ElderManaged.Evaluation.Reports;

/// <summary>A column of the table of results.</summary>
/// <param name="Group">What stands above neighbouring columns of one kind.</param>
/// <param name="Header">What stands above the column, below the group; may be empty.</param>
/// <param name="Text">The cell of a method; an en dash where the method has no such figure.</param>
public sealed record ResultColumn(string Group, string Header, Func<MethodResult, string> Text);

/// <summary>The table of results, the same on the terminal and in the report.</summary>
public static class ResultColumns
{
    /// <summary>Stands where a method has no such figure.</summary>
    public const string None = "–";

    /// <summary>All columns, from left to right.</summary>
    public static IReadOnlyList<ResultColumn> All { get; } =
    [
        new("Method", "", r => EditMethods.Label(r.Name)),
        new("Reliability", "forced", r => Percent(r.Reliability.TeacherForced)),
        new("Reliability", "generated", r => Percent(r.Reliability.Generated)),
        new("Generalization", "forced", r => Percent(r.Generalization?.TeacherForced)),
        new("Generalization", "generated", r => Percent(r.Generalization?.Generated)),
        new("Deferral recall", "tasks", r => Percent(r.DeferralOfTasks)),
        new("Deferral recall", "unedited", r => Percent(r.DeferralOfUnedited)),
        new("Scope recall", "", r => Percent(r.ScopeRecall)),
        new("Retention", "edited", r => Percent(r.Retention)),
        new("Retention", "base", r => Percent(r.RetentionBase)),
        new("Seconds per edit", "", r => r.AddedParameters == 0 ? None : r.SecondsPerEdit.ToString("0.000", CultureInfo.InvariantCulture)),
        new("Added parameters", "", r => r.AddedParameters == 0 ? None : r.AddedParameters.ToString("#,0", CultureInfo.InvariantCulture)),
    ];

    private static string Percent(double? share) => share is { } value ? (100 * value).ToString("0.0", CultureInfo.InvariantCulture) : None;
}
