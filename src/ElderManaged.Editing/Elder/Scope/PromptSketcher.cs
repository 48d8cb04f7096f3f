using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Makes sketches of prompts: the residual stream after an early block, averaged over the last sentence with rare tokens
/// weighted up, and the stream of the last token after a late block, both whitened and normalised. Prompts that ask the
/// same lie close together, whatever their wording.
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
    /// The blocks whose entering residual stream (<see cref="Activation.Hidden"/>) sketches are made of: for the mean,
    /// and for the ending. A number equal to the count of blocks means the stream after the last.
    /// </summary>
    public (int Mean, int Ending) ObservedLayers => (calibration.Layer + 1, calibration.EndingLayer + 1);

    /// <summary>Runs the blocks that are needed over the prompts, in batches, and sketches them.</summary>
    /// <param name="prompts">Token ids, at least one each.</param>
    /// <returns><see cref="SketchCalibration.Components"/> numbers for each prompt, see <see cref="SketchWhitening"/>.</returns>
    public float[][] Sketch(IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        float[][] result = new float[prompts.Count][];
        SketchPooling.ForEachBatch(
            model, prompts, calibration.Layer, calibration.EndingLayer, calibration.Options.BatchTokens, (first, mean, ending, layout) =>
            {
                for (int s = 0; s < layout.Count; s++)
                {
                    result[first + s] = Finish(mean, ending, layout, s, prompts[first + s]);
                }
            });
        return result;
    }

    /// <summary>Sketches prompts from residual streams that a forward pass has computed already.</summary>
    /// <param name="mean">The stream entering the first of <see cref="ObservedLayers"/> [rows, width].</param>
    /// <param name="ending">The stream entering the second [rows, width].</param>
    /// <param name="layout">Their rows: all tokens of each prompt, none cached before.</param>
    /// <param name="prompts">Token ids of each sequence of the layout.</param>
    public float[][] Sketch(Tensor mean, Tensor ending, SequenceLayout layout, IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(mean);
        ArgumentNullException.ThrowIfNull(ending);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(prompts);
        if (layout.Count != prompts.Count || mean.Rows != layout.Rows || mean.Columns != calibration.Width || ending.Shape != mean.Shape)
        {
            throw new ArgumentException(
                $"Sketch: {prompts.Count} prompts, a layout of {layout.Count} sequences in {layout.Rows} rows, and hidden states {mean.Shape} and " +
                $"{ending.Shape} do not fit together; the width must be {calibration.Width}.");
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

            result[s] = Finish(mean, ending, layout, s, prompts[s]);
        }

        return result;
    }

    private float[] Finish(Tensor hidden, Tensor ending, SequenceLayout layout, int s, int[] prompt)
    {
        float[] mean = SketchPooling.Pool(hidden, layout.Starts[s], prompt, calibration.LastSentence(prompt), calibration.TokenWeight);
        return calibration.SketchWhitening.Sketch(mean, ending.ReadOnlyRow(layout.LastRow(s)).ToArray());
    }
}
