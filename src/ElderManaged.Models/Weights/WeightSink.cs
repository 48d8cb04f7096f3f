using ElderManaged.Models.Checkpoints;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>Collects a model's tensors for a checkpoint, by the names and in the layout the architecture publishes.</summary>
/// <remarks>Matrices are widened and turned one at a time, while the file is written.</remarks>
internal sealed class WeightSink(SafetensorsWriter writer, StoredType type)
{
    public void Add(string name, Tensor tensor) => AddValues(name, tensor.Shape, () => tensor.ReadOnlySpan.ToArray());

    /// <summary>A table, under a name that is complete.</summary>
    public void Add(string name, TokenTable table) => AddMatrix(name, table.Head, transposed: false);

    /// <summary>A layer; its name is followed by <c>.weight</c> and <c>.bias</c>.</summary>
    public void Add(string name, LinearLayer layer, bool transposed)
    {
        AddMatrix($"{name}.weight", layer, transposed);
        if (layer.Bias is { } bias)
        {
            Add($"{name}.bias", bias);
        }
    }

    private void AddMatrix(string name, LinearLayer layer, bool transposed)
    {
        float[] Dense()
        {
            float[] values = new float[layer.OutFeatures * layer.InFeatures];
            layer.CopyWeightTo(values);
            return transposed ? WeightSource.Transpose(values, layer.OutFeatures, layer.InFeatures) : values;
        }

        AddValues(name, transposed ? new Shape(layer.InFeatures, layer.OutFeatures) : new Shape(layer.OutFeatures, layer.InFeatures), Dense);
    }

    private void AddValues(string name, Shape shape, Func<float[]> dense)
    {
        long[] sizes = new long[shape.Rank];
        for (int i = 0; i < sizes.Length; i++)
        {
            sizes[i] = shape[i];
        }

        float[] values = [];
        writer.Add(
            name, sizes, (start, destination) =>
            {
                values = start == 0 ? dense() : values;
                values.AsSpan((int)start, destination.Length).CopyTo(destination);
                values = start + destination.Length == values.Length ? [] : values;
            },
            type);
    }
}
