using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Weights;

/// <summary>An embedding of tokens or positions; that of tokens may serve as output projection as well, one copy in memory for both.</summary>
internal abstract class TokenTable
{
    /// <summary>The output projection with the same weight [vocabulary, width].</summary>
    public abstract LinearLayer Head { get; }

    /// <summary>Ids → rows [ids, width].</summary>
    public abstract Tensor Lookup(int[] ids);
}

/// <summary>An embedding whose rows are parameters.</summary>
internal sealed class TrainableTokenTable(Tensor weight) : TokenTable
{
    public override LinearLayer Head { get; } = new TrainableLinear(weight, null);

    public override Tensor Lookup(int[] ids) => Op.Embedding(weight, ids);
}

/// <summary>An embedding that never changes, in whatever format it is stored.</summary>
internal sealed class FrozenTokenTable(FrozenMatrix weight) : TokenTable
{
    public override LinearLayer Head { get; } = new FrozenLinear(weight, null);

    public override Tensor Lookup(int[] ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)weight.OutFeatures)
            {
                throw new ArgumentException($"Embedding: id {ids[i]} at position {i} is outside of the table; ids go from 0 to {weight.OutFeatures - 1}.");
            }
        }

        Tensor rows = Tape.NewTensor(new Shape(ids.Length, weight.InFeatures));
        for (int i = 0; i < ids.Length; i++)
        {
            weight.CopyRow(ids[i], rows.Span.Slice(i * weight.InFeatures, weight.InFeatures));
        }

        return rows;
    }
}
