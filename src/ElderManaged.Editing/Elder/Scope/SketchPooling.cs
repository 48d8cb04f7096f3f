using System.Numerics.Tensors;
using ElderManaged.Models;
using ElderManaged.Tensors;
using Tensor = ElderManaged.Tensors.Tensor;

namespace ElderManaged.Editing.Elder;

/// <summary>The steps between hidden states and sketches, shared by sketching and calibration.</summary>
internal static class SketchPooling
{
    /// <summary>
    /// Runs the blocks over consecutive prompts, as many at once as fit the batch, and hands over the residual stream
    /// after block <paramref name="layer"/> and after block <paramref name="endingLayer"/>.
    /// </summary>
    public static void ForEachBatch(
        TransformerModel model, IReadOnlyList<int[]> prompts, int layer, int endingLayer, int batchTokens,
        Action<int, Tensor, Tensor, SequenceLayout> use)
    {
        for (int first = 0, end; first < prompts.Count; first = end)
        {
            int tokens = 0;
            for (end = first; end < prompts.Count && (end == first || tokens + prompts[end].Length <= batchTokens); end++)
            {
                int length = prompts[end].Length;
                if (length == 0 || length > model.Config.MaxPositions)
                {
                    throw new ArgumentException($"Sketch: prompt {end} has {length} tokens; from 1 to {model.Config.MaxPositions} are possible.");
                }

                tokens += length;
            }

            int[][] batch = [.. prompts.Skip(first).Take(end - first)];
            using Tape tape = Tape.Start(record: false);
            ForwardContext context = new(new SequenceLayout([.. batch.Select(p => p.Length)]));
            int lower = Math.Min(layer, endingLayer) + 1, upper = Math.Max(layer, endingLayer) + 1;
            Tensor low = model.Blocks(model.Embed([.. batch.SelectMany(p => p)], context), context, 0, lower);
            Tensor high = model.Blocks(low, context, lower, upper);
            use(first, layer < endingLayer ? low : high, layer < endingLayer ? high : low, context.Layout);
        }
    }

    /// <summary>
    /// Σ w_t h_t / Σ w_t over the last sentence, without position 0: the first position attends only to itself, and in
    /// many models carries values a thousand times larger than all others.
    /// </summary>
    public static float[] Pool(Tensor hidden, int start, int[] prompt, int sentence, Func<int, double> weight)
    {
        int first = Math.Min(Math.Max(sentence, 1), prompt.Length - 1);
        float[] mean = new float[hidden.Columns];
        double total = 0;
        for (int t = first; t < prompt.Length; t++)
        {
            double w = weight(prompt[t]);
            total += w;
            TensorPrimitives.MultiplyAdd(hidden.ReadOnlyRow(start + t), (float)w, mean, mean);
        }

        TensorPrimitives.Multiply(mean, (float)(1 / total), mean);
        return mean;
    }
}
