using ElderManaged.Evaluation.Tasks;

namespace ElderManaged.WeightsBuilder.World;

/// <summary>A task's examples to learn from and, all of them different, those to measure with.</summary>
public sealed record TaskSplit(string Task, IReadOnlyList<TaskExample> Train, IReadOnlyList<TaskExample> Test);
