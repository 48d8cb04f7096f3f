using ElderManaged.Editing;

namespace ElderManaged.Evaluation.Harness;

/// <summary>What a stream of edits cost, and how reliable the edits were along it.</summary>
/// <param name="Edits">Edits learned.</param>
/// <param name="Seconds">The time of learning alone.</param>
/// <param name="AddedParameters">Numbers the method keeps beside the base model.</param>
/// <param name="Curve">Reliability of the edits so far at some points.</param>
public sealed record StreamOutcome(int Edits, double Seconds, long AddedParameters, IReadOnlyList<CurvePoint> Curve);

/// <summary>Teaches an editor a stream of edits, one batch after another.</summary>
public static class EditStream
{
    /// <summary>Learns all edits in their order.</summary>
    /// <param name="model">The base model.</param>
    /// <param name="editor">A fresh editor over it.</param>
    /// <param name="requests">The edits.</param>
    /// <param name="batchSize">Edits of a batch.</param>
    /// <param name="curvePoints">At how many places along the stream, the end included, reliability is measured; 0 for none.</param>
    /// <param name="progress">Told after every batch.</param>
    /// <param name="cancellationToken">Stops; the editor keeps the batches that were finished.</param>
    public static StreamOutcome Learn(
        ElderModel model, IModelEditor editor, IReadOnlyList<EditRequest> requests, int batchSize, int curvePoints = 0,
        IProgress<ExperimentProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(editor);
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        EncodedEdit[] encoded = [.. requests.Select(model.Encoder.Encode)];
        PhaseClock clock = new(progress, editor.Name, "editing", requests.Count);
        List<CurvePoint> curve = [];
        double seconds = 0;
        for (int start = 0; start < encoded.Length; start += batchSize)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int end = Math.Min(encoded.Length, start + batchSize);
            seconds += editor.Edit(encoded[start..end], cancellationToken).Seconds;
            clock.Advance(end - start);

            // A point wherever this batch passes another share of the stream.
            if (curvePoints > 0 && (long)end * curvePoints / encoded.Length > (long)start * curvePoints / encoded.Length)
            {
                curve.Add(new CurvePoint(end, AnswerExam.TeacherForced(model, editor.Current, [.. requests.Take(end)], cancellationToken)));
            }
        }

        return new StreamOutcome(encoded.Length, seconds, editor.AddedParameters, curve);
    }
}
