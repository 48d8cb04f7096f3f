namespace ElderManaged.Editing;

/// <summary>What a model answered to a prompt.</summary>
/// <param name="Text">The answer, without the space before it.</param>
/// <param name="InScope">Whether the edits acted; if not, this is what the untouched base model says.</param>
/// <param name="FactId">The recorded fact that is nearest, if the method has such a notion.</param>
/// <param name="Evidence">The method's own measure behind <paramref name="InScope"/>; NaN if it has none.</param>
/// <param name="Complete">Whether the model ended its answer; otherwise it was cut at the most tokens.</param>
public sealed record Answer(string Text, bool InScope, string? FactId, double Evidence, bool Complete);

/// <summary>How far a stream of edits has come.</summary>
/// <param name="Done">Edits learned and acknowledged.</param>
/// <param name="Total">Edits of the stream.</param>
/// <param name="SecondsPerEdit">Mean wall-clock time of an edit so far.</param>
/// <param name="Remaining">The time that the rest will take at this pace.</param>
/// <param name="Loss">The mean target loss of the last batch in its last step.</param>
public sealed record EditProgress(int Done, int Total, double SecondsPerEdit, TimeSpan Remaining, double Loss);

/// <summary>What a stream of edits cost.</summary>
/// <param name="Edits">Edits learned and acknowledged.</param>
/// <param name="Batches">Batches they were learned in.</param>
/// <param name="MeanLoss">The mean over batches of the target loss in the last step.</param>
/// <param name="Seconds">Wall-clock time.</param>
public sealed record EditSummary(int Edits, int Batches, double MeanLoss, double Seconds);
