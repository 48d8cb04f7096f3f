using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>An embedding of tokens or positions; that of tokens may serve as output projection as well, one copy in memory for both.</summary>
internal abstract class TokenTable
{
    /// <summary>The output projection with the same weight [vocabulary, width].</summary>
    public abstract LinearLayer Head { get; }

    /// <summary>Ids → rows [ids, width] on a device: where the first ops have their input, all of them compute.</summary>
    public abstract Tensor Lookup(int[] ids, Device device);
}

/// <summary>An embedding whose rows are parameters.</summary>
internal sealed class TrainableTokenTable(Tensor weight) : TokenTable
{
    public override LinearLayer Head { get; } = new TrainableLinear(weight, null);

    // Parameters follow their model, but numbers that were written since then lie on the host.
    public override Tensor Lookup(int[] ids, Device device)
    {
        weight.MoveTo(device);
        return Op.Embedding(weight, ids);
    }
}

/// <summary>An embedding that never changes, in whatever format it is stored.</summary>
internal sealed class FrozenTokenTable(FrozenMatrix weight) : TokenTable
{
    public override LinearLayer Head { get; } = new FrozenLinear(weight, null);

    public override Tensor Lookup(int[] ids, Device device) => Op.Embedding(weight, ids, device);
}
