using System.Numerics.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// The two halves of a sketch, each whitened and of length 1: the mean over the tokens of the last sentence, which tells
/// subjects apart, and the last token, where the model gathers what kind of answer is asked for. Rephrasings agree in
/// both; another question about the same subject differs in the second, the same question about another subject in the
/// first.
/// </summary>
/// <param name="Mean">The whitening of means over tokens.</param>
/// <param name="Last">The whitening of last tokens.</param>
public sealed record SketchWhitening(Whitening Mean, Whitening Last)
{
    /// <summary>The number of numbers in a sketch: those of the mean, then those of the last token.</summary>
    public int Components => Mean.Components + Last.Components;

    internal float[] Sketch(float[] mean, float[] last)
    {
        float[] sketch = new float[Components];
        Unit(Mean, mean, sketch.AsSpan(0, Mean.Components));
        Unit(Last, last, sketch.AsSpan(Mean.Components));
        return sketch;
    }

    private static void Unit(Whitening whitening, float[] vector, Span<float> result)
    {
        whitening.Apply(vector, result);
        float norm = TensorPrimitives.Norm<float>(result);
        if (norm > 0)
        {
            TensorPrimitives.Multiply(result, 1 / norm, result);
        }
    }
}
