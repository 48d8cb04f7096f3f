namespace ElderManaged.WeightsBuilder.World;

/// <summary>One question of a general task. The answer has no leading space; it follows the prompt after one.</summary>
public sealed record TaskExample(string Task, string Prompt, string Answer);

/// <summary>A task's examples to learn from and, all of them different, those to measure with.</summary>
public sealed record TaskSplit(string Task, IReadOnlyList<TaskExample> Train, IReadOnlyList<TaskExample> Test);
