using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>
/// Lists the tensors that an architecture asks for, without taking memory for matrices: its published names, shapes and
/// initialisations, from the one place that knows them. The model built from it cannot compute.
/// </summary>
internal sealed class ListedWeights : WeightSource
{
    /// <summary>The tensors in the order of the forward pass.</summary>
    public List<(string Name, long[] Shape, Initialization Start)> Tensors { get; } = [];

    public override Tensor Tensor(string name, Shape shape, Initialization start)
    {
        Tensors.Add((name, Sizes(shape), start));
        return new Tensor(shape);
    }

    public override LinearLayer Linear(string name, int inFeatures, int outFeatures, bool bias, bool transposed, Initialization start)
    {
        Tensors.Add(($"{name}.weight", transposed ? [inFeatures, outFeatures] : [outFeatures, inFeatures], start));
        return new NoLayer(inFeatures, outFeatures, bias ? Tensor($"{name}.bias", new Shape(outFeatures), new Initialization.Constant(0)) : null);
    }

    public override TokenTable Embedding(string name, int rows, int width, Initialization start)
    {
        Tensors.Add((name, [rows, width], start));
        return new NoTable(new NoLayer(width, rows, null));
    }

    public override bool Has(string name) => true;

    public override bool HasRoomFor(int layers) => true;

    private sealed class NoLayer(int inFeatures, int outFeatures, Tensor? bias) : LinearLayer
    {
        public override int InFeatures => inFeatures;

        public override int OutFeatures => outFeatures;

        public override Tensor? Bias => bias;

        public override Tensor Forward(Tensor x) => throw new InvalidOperationException("This model is only a list of its tensors.");

        public override void CopyWeightTo(Span<float> destination) => throw new InvalidOperationException("This model is only a list of its tensors.");
    }

    private sealed class NoTable(LinearLayer head) : TokenTable
    {
        public override LinearLayer Head => head;

        public override Tensor Lookup(int[] ids, Device device) => throw new InvalidOperationException("This model is only a list of its tensors.");
    }
}
