namespace ElderManaged.Evaluation.Tasks;

/// <summary>One question of a general task.</summary>
/// <param name="Task">The task's name, which decides the metric (<see cref="TaskMetric"/>).</param>
/// <param name="Prompt">The text to complete, without a trailing space.</param>
/// <param name="Answer">What is right, without a leading space.</param>
public sealed record TaskExample(string Task, string Prompt, string Answer);
