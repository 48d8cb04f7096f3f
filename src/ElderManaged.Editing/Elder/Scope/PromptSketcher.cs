using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Makes sketches of prompts: the residual stream after an early block, averaged over the last sentence with rare tokens
/// weighted up, whitened and normalised. Prompts that ask the same lie close together, whatever their wording.
/// </summary>
/// <remarks>Immutable, for any number of threads.</remarks>
public sealed class PromptSketcher
{
    private readonly TransformerModel model;
    private readonly SketchCalibration calibration;

    /// <summary>A sketcher for the model that the calibration was made from.</summary>
    /// <exception cref="ArgumentException">The calibration belongs to another model.</exception>
    public PromptSketcher(TransformerModel model, SketchCalibration calibration)
    {
        ArgumentNullException.ThrowIfNull(calibration);
        calibration.Require(model);
        (this.model, this.calibration) = (model, calibration);
    }

    /// <summary>The calibration in use.</summary>
    public SketchCalibration Calibration => calibration;

    /// <summary>
    /// The layer whose entering residual stream (<see cref="Activation.Hidden"/>) sketches are made of. It is observed
    /// in a forward pass if it is a layer of the model; a sketch after the last block is not.
    /// </summary>
    public int ObservedLayer => calibration.Layer + 1;

    /// <summary>Runs the first blocks over the prompts, in batches, and sketches them.</summary>
    /// <param name="prompts">Token ids, at least one each.</param>
    /// <returns>A unit vector of <see cref="SketchCalibration.Components"/> numbers for each prompt.</returns>
    public float[][] Sketch(IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        float[][] result = new float[prompts.Count][];
        SketchPooling.ForEachBatch(model, prompts, calibration.Layer, calibration.Options.BatchTokens, (first, hidden, layout) =>
        {
            for (int s = 0; s < layout.Count; s++)
            {
                result[first + s] = Finish(hidden, layout, s, prompts[first + s]);
            }
        });
        return result;
    }

    /// <summary>Sketches prompts from a residual stream that a forward pass has computed already.</summary>
    /// <param name="hidden">The stream entering <see cref="ObservedLayer"/> [rows, width].</param>
    /// <param name="layout">Its rows: all tokens of each prompt, none cached before.</param>
    /// <param name="prompts">Token ids of each sequence of the layout.</param>
    public float[][] Sketch(Tensor hidden, SequenceLayout layout, IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(prompts);
        if (layout.Count != prompts.Count || hidden.Rows != layout.Rows || hidden.Columns != calibration.Width)
        {
            throw new ArgumentException(
                $"Sketch: {prompts.Count} prompts, a layout of {layout.Count} sequences in {layout.Rows} rows, and hidden states {hidden.Shape} " +
                $"do not fit together; the width must be {calibration.Width}.");
        }

        float[][] result = new float[prompts.Count][];
        for (int s = 0; s < result.Length; s++)
        {
            if (layout.Lengths[s] != prompts[s].Length || layout.Past[s] != 0)
            {
                throw new ArgumentException(
                    $"Sketch: prompt {s} has {prompts[s].Length} tokens, its sequence {layout.Lengths[s]} rows after {layout.Past[s]} cached ones; " +
                    "the whole prompt must be in the pass.");
            }

            result[s] = Finish(hidden, layout, s, prompts[s]);
        }

        return result;
    }

    private float[] Finish(Tensor hidden, SequenceLayout layout, int s, int[] prompt)
    {
        float[] mean = SketchPooling.Pool(hidden, layout.Starts[s], prompt, calibration.LastSentence(prompt), calibration.TokenWeight);
        return SketchPooling.Normalised(calibration.Whitening, mean);
    }
}
