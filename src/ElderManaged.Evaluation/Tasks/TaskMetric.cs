using ElderManaged.Evaluation.Metrics;

namespace ElderManaged.Evaluation.Tasks;

/// <summary>
/// How an answer to a general task is scored, and how long it may get (Gu et al. 2024, whose eight tasks these mirror).
/// </summary>
/// <param name="Task">The task.</param>
/// <param name="Name">The metric's name, for tables.</param>
/// <param name="MaxTokens">The most tokens to generate.</param>
/// <param name="Score">The score of (generated, right) in [0, 1].</param>
public sealed record TaskMetric(string Task, string Name, int MaxTokens, Func<string, string, double> Score)
{
    /// <summary>The eight tasks in the order of the paper's table.</summary>
    public static IReadOnlyList<TaskMetric> All { get; } =
    [
        new("nli", "accuracy", 3, Word),
        new("boolq", "exact match", 3, Word),
        new("sentiment", "accuracy", 3, Word),
        new("dialogue", "accuracy", 3, (found, right) => FirstAnswer.Letter(found) is { } letter && letter == FirstAnswer.Letter(right) ? 1 : 0),
        new("ner", "entity F1", 16, (found, right) => EntityF1.Count(found, right).F1),
        new("openqa", "exact match", 12, (found, right) => ExactMatch.Matches(found, right) ? 1 : 0),
        new("arithmetic", "solve rate", 6, (found, right) => NumberAnswer.First(found) == NumberAnswer.Last(right) ? 1 : 0),
        new("summary", "ROUGE", 30, Rouge.MeanF),
    ];

    /// <summary>The metric of a task.</summary>
    /// <exception cref="ArgumentException">No such task.</exception>
    public static TaskMetric Of(string task) =>
        All.FirstOrDefault(metric => metric.Task == task)
        ?? throw new ArgumentException($"The task {task} is unknown; known are {string.Join(", ", All.Select(m => m.Task))}.");

    private static double Word(string found, string right) => FirstAnswer.WordMatches(found, right) ? 1 : 0;
}
