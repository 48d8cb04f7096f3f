using System.Text.Json;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Recognises facts by the sketches of their prompts and by their subjects: the scope decision of the default preset.
/// Sketches come from the pass of the base model that reads the prompt anyway.
/// </summary>
/// <remarks>Immutable, for any number of threads.</remarks>
public sealed class SketchFactFinder : IFactFinder
{
    private const string FileName = "facts.safetensors", Key = "recorded_edits", SketchesName = "sketches";
    private readonly PromptSketcher sketcher;
    private readonly FactIndex index;
    private readonly (EncodedEdit Edit, float[] Sketch)[] recorded;

    /// <summary>A finder without facts.</summary>
    /// <param name="sketcher">Of the base model, with its calibration.</param>
    public SketchFactFinder(PromptSketcher sketcher)
        : this(sketcher, FactIndex.Empty((sketcher ?? throw new ArgumentNullException(nameof(sketcher))).Calibration), [])
    {
    }

    private SketchFactFinder(PromptSketcher sketcher, FactIndex index, (EncodedEdit, float[])[] recorded)
    {
        (this.sketcher, this.index, this.recorded) = (sketcher, index, recorded);
        ObservedLayers = [sketcher.ObservedLayers.Mean, sketcher.ObservedLayers.Ending];
    }

    /// <summary>How it sketches and decides.</summary>
    public SketchCalibration Calibration => sketcher.Calibration;

    /// <summary>The index of the recorded facts.</summary>
    public FactIndex Index => index;

    /// <inheritdoc/>
    public IReadOnlyList<int> ObservedLayers { get; }

    /// <inheritdoc/>
    public IReadOnlyList<RecognisedFact> Find(IReadOnlyList<int[]> prompts, IReadOnlyList<Tensor>? observed, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        if (index.Count == 0)
        {
            return [.. prompts.Select(_ => new RecognisedFact(false, null, 0))];
        }

        float[][] sketches = observed is null ? sketcher.Sketch(prompts) : sketcher.Sketch(observed[0], observed[1], layout, prompts);
        return [.. sketches.Select((sketch, i) =>
        {
            FactMatch match = index.Find(sketch, prompts[i]);
            return new RecognisedFact(match.InScope, match.FactId, match.Probability);
        })];
    }

    /// <inheritdoc/>
    public IFactFinder With(IReadOnlyList<EncodedEdit> edits)
    {
        ArgumentNullException.ThrowIfNull(edits);
        return With([.. edits.Zip(sketcher.Sketch([.. edits.Select(e => e.Prompt)]))]);
    }

    /// <inheritdoc/>
    public IFactFinder Without(string factId) =>
        new SketchFactFinder(sketcher, index.Remove(factId), [.. recorded.Where(r => r.Edit.FactId != factId)]);

    /// <inheritdoc/>
    public void Save(string folder)
    {
        int width = sketcher.Calibration.Components;
        new SafetensorsWriter()
            .Add(SketchesName, [recorded.Length, width], recorded.SelectMany(r => r.Sketch).ToArray())
            .AddMetadata(Key, JsonSerializer.Serialize([.. recorded.Select(r => r.Edit)], ElderJson.Default.EncodedEditArray))
            .Save(Path.Combine(folder, FileName));
    }

    /// <inheritdoc/>
    public IFactFinder Load(string folder, IReadOnlyList<EncodedEdit> edits)
    {
        ArgumentNullException.ThrowIfNull(edits);
        string path = Path.Combine(folder, FileName);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        EncodedEdit[] saved;
        try
        {
            saved = file.Metadata.TryGetValue(Key, out string? text) ? JsonSerializer.Deserialize(text, ElderJson.Default.EncodedEditArray) ?? [] : [];
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{path}: '{Key}' cannot be read: {e.Message}", e);
        }

        if (!saved.Select(Describe).Order(StringComparer.Ordinal).SequenceEqual(edits.Select(Describe).Order(StringComparer.Ordinal)))
        {
            throw new CheckpointException($"{path} holds {saved.Length} recorded edits that are not the {edits.Count} of the state beside it; the folder mixes two moments. Use another copy of the state.");
        }

        int width = sketcher.Calibration.Components;
        float[] sketches = new float[saved.Length * width];
        file.ReadFloat32(SketchesName, sketches);
        return With([.. saved.Select((e, i) => (e, sketches[(i * width)..((i + 1) * width)]))]);
    }

    private SketchFactFinder With((EncodedEdit Edit, float[] Sketch)[] added)
    {
        FactIndex more = index.AddRange([.. added.Select(a => new FactRecord(a.Edit.FactId, sketcher.Calibration, a.Sketch, a.Edit.Prompt, a.Edit.Subject))]);
        return new SketchFactFinder(sketcher, more, [.. recorded, .. added]);
    }

    private static string Describe(EncodedEdit edit) => $"{edit.FactId}\n{string.Join(' ', edit.Prompt)}";
}
