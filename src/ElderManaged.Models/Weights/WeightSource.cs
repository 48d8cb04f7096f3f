using ElderManaged.Models.Checkpoints;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>
/// Where a model under construction gets its weights: a checkpoint or an initialisation, frozen or trainable. The
/// model names what it needs, in the order of its forward pass; the source decides the rest.
/// </summary>
internal abstract class WeightSource
{
    /// <summary>All parameters handed out so far; empty for frozen sources.</summary>
    public List<Parameter> Parameters { get; } = [];

    /// <summary>A vector that is used as it is.</summary>
    public abstract Tensor Tensor(string name, Shape shape, Initialization start);

    /// <summary>A linear layer.</summary>
    /// <param name="name">Without <c>.weight</c>.</param>
    /// <param name="inFeatures">Input width.</param>
    /// <param name="outFeatures">Output width.</param>
    /// <param name="bias">Whether it has one.</param>
    /// <param name="transposed">Whether the checkpoint keeps [in, out], as GPT-2's Conv1D does.</param>
    /// <param name="start">For fresh weights.</param>
    public abstract LinearLayer Linear(string name, int inFeatures, int outFeatures, bool bias, bool transposed, Initialization start);

    /// <summary>A table of rows that are looked up, [rows, width]: the embedding of tokens or positions.</summary>
    public abstract TokenTable Embedding(string name, int rows, int width, Initialization start);

    /// <summary>Whether a tensor of this name exists (fresh sources have every tensor).</summary>
    public abstract bool Has(string name);

    /// <summary>[rows, columns] → [columns, rows].</summary>
    public static float[] Transpose(ReadOnlySpan<float> source, int rows, int columns)
    {
        float[] result = new float[source.Length];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                result[(c * rows) + r] = source[(r * columns) + c];
            }
        }

        return result;
    }

    /// <summary>Whether there is one tensor at least for each layer; a configuration that lies must not make room for more.</summary>
    public abstract bool HasRoomFor(int layers);

    /// <summary>The entry of a tensor, of the expected shape; asked before memory for its values is taken.</summary>
    private protected static TensorEntry Find(Checkpoint checkpoint, string name, params ReadOnlySpan<long> shape) => checkpoint.Find(name, shape);

    private protected static void Read(Checkpoint checkpoint, string name, ReadOnlySpan<long> shape, Span<float> values)
    {
        checkpoint.Read(name, shape, values);
        int bad = values.IndexOfAnyExceptInRange(float.MinValue, float.MaxValue);
        if (bad >= 0)
        {
            throw new CheckpointException($"{checkpoint.Path}: the tensor {name} holds {values[bad]} at element {bad}; the file is damaged.");
        }
    }

    private protected static long[] Sizes(Shape shape)
    {
        long[] sizes = new long[shape.Rank];
        for (int i = 0; i < shape.Rank; i++)
        {
            sizes[i] = shape[i];
        }

        return sizes;
    }
}

/// <summary>Trainable weights, from a checkpoint or fresh from a random source.</summary>
internal sealed class TrainableWeights(Checkpoint? checkpoint, RandomSource? random) : WeightSource
{
    private static readonly Initialization Zero = new Initialization.Constant(0);

    public override Tensor Tensor(string name, Shape shape, Initialization start) => Parameter(name, Sizes(shape), start);

    public override LinearLayer Linear(string name, int inFeatures, int outFeatures, bool bias, bool transposed, Initialization start)
    {
        string full = $"{name}.weight";
        Tensor weight = transposed && (checkpoint?.KeepsConv1D ?? false)
            ? Turned(full, inFeatures, outFeatures)
            : Parameter(full, [outFeatures, inFeatures], start);
        return new TrainableLinear(weight, bias ? Tensor($"{name}.bias", new Shape(outFeatures), Zero) : null);
    }

    public override TokenTable Embedding(string name, int rows, int width, Initialization start) =>
        new TrainableTokenTable(Parameter(name, [rows, width], start));

    private Tensor Parameter(string name, long[] sizes, Initialization start)
    {
        if (checkpoint is not null)
        {
            Find(checkpoint, name, sizes);
        }

        Tensor tensor = new(sizes.Length == 1 ? new Shape((int)sizes[0]) : new Shape((int)sizes[0], (int)sizes[1])) { RequiresGrad = true };
        if (checkpoint is not null)
        {
            Read(checkpoint, name, sizes, tensor.Span);
        }
        else
        {
            start.Fill(tensor.Span, random!);
        }

        Parameters.Add(new Parameter(name, tensor));
        return tensor;
    }

    /// <summary>A matrix that the checkpoint keeps as [in, out].</summary>
    private Tensor Turned(string name, int inFeatures, int outFeatures)
    {
        TensorEntry entry = Find(checkpoint!, name, inFeatures, outFeatures);
        float[] values = new float[entry.ElementCount];
        Read(checkpoint!, name, entry.Shape, values);
        Tensor tensor = new(new Shape(outFeatures, inFeatures)) { RequiresGrad = true };
        Transpose(values, inFeatures, outFeatures).CopyTo(tensor.Span);
        Parameters.Add(new Parameter(name, tensor));
        return tensor;
    }

    public override bool Has(string name) => checkpoint?.Contains(name) ?? true;

    public override bool HasRoomFor(int layers) => checkpoint is null || layers <= checkpoint.Entries.Count;
}
