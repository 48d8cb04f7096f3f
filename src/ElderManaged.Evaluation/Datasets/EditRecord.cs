using ElderManaged.Editing;

namespace ElderManaged.Evaluation.Datasets;

/// <summary>One edit of a benchmark with everything needed to judge it.</summary>
/// <param name="Id">Names the record: the file's own id where it has one, else the record's place in the file, counted from 1.</param>
/// <param name="Edit">The edit; its <see cref="EditRequest.FactId"/> is <paramref name="Id"/>.</param>
/// <param name="Rephrasings">Other phrasings of the prompt, to which the edited model must give the same target; may be empty.</param>
/// <param name="Locality">Prompts about other things, whose answers must not change; may be empty.</param>
/// <param name="TargetTrue">What is true outside the benchmark, where the edit makes the model say something else; null when unknown.</param>
public sealed record EditRecord(
    string Id,
    EditRequest Edit,
    IReadOnlyList<string> Rephrasings,
    IReadOnlyList<LocalityProbe> Locality,
    string? TargetTrue);

/// <summary>A prompt that an edit must leave alone.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Answer">Its right answer; locality compares with the unedited model, so this is only for reading.</param>
public sealed record LocalityProbe(string Prompt, string Answer);
