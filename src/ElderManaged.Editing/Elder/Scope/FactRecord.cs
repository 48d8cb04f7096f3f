namespace ElderManaged.Editing.Elder;

/// <summary>One recorded prompt of an edited fact, as the index keeps it. Immutable.</summary>
public sealed class FactRecord
{
    /// <summary>Makes a record.</summary>
    /// <param name="factId">The fact.</param>
    /// <param name="calibration">The calibration of the index it goes into.</param>
    /// <param name="sketch">Of the prompt.</param>
    /// <param name="prompt">Token ids of the prompt.</param>
    /// <param name="subject">Token ids of the subject, empty if unknown.</param>
    public FactRecord(string factId, SketchCalibration calibration, ReadOnlySpan<float> sketch, ReadOnlySpan<int> prompt, ReadOnlySpan<int> subject)
    {
        ArgumentNullException.ThrowIfNull(factId);
        ArgumentNullException.ThrowIfNull(calibration);
        if (sketch.Length != calibration.Components)
        {
            throw new ArgumentException($"FactRecord '{factId}': the sketch has {sketch.Length} numbers, the calibration makes {calibration.Components}.");
        }

        FactId = factId;
        Sketch = new Sketch8(sketch[..calibration.SketchWhitening.Mean.Components]);
        Ending = new Sketch8(sketch[calibration.SketchWhitening.Mean.Components..]);
        Words = calibration.WordsOf(prompt);
        HasSubject = !subject.IsEmpty;
        Subject = HasSubject ? calibration.WordsOfAll(subject) : calibration.NamesOf(prompt);
        PromptHash = PromptWords.Exact(prompt);
    }

    /// <summary>The fact.</summary>
    public string FactId { get; }

    /// <summary>Whether the subject is known.</summary>
    public bool HasSubject { get; }

    /// <summary>The half that tells subjects apart, by which records are found.</summary>
    internal Sketch8 Sketch { get; }

    /// <summary>The half that tells what kind of answer is asked for.</summary>
    internal Sketch8 Ending { get; }

    internal WordBag Words { get; }

    /// <summary>The words of the subject, or what stands in for it.</summary>
    internal WordBag Subject { get; }

    internal ulong PromptHash { get; }
}
