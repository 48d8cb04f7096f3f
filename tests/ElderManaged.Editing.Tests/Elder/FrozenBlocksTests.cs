using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class FrozenBlocksTests
{
    [Fact]
    public void ScopesOfTheirOwnChangeNoBitAndHiddenStatesMayBeKept()
    {
        TransformerModel model = TinyModels.Llama;
        int[] ids = [.. Enumerable.Range(0, model.Config.MaxPositions).Select(i => i % model.Config.VocabSize)];
        List<(int Layer, float[] Values)> seen = [];
        List<(int Layer, Tensor Values)> kept = [];
        float[] expected;
        using (Tape.Start(record: false))
        {
            ForwardContext context = new(new SequenceLayout([ids.Length])) { Observe = (kind, layer, x) => Keep(kind, () => seen.Add((layer, x.Span.ToArray()))) };
            expected = model.Blocks(model.Embed(ids, context), context, 0, model.LayerCount).Span.ToArray();
        }

        using (Tape.Start(record: false))
        {
            ForwardContext context = new(new SequenceLayout([ids.Length])) { Observe = (kind, layer, x) => Keep(kind, () => kept.Add((layer, x))) };
            Assert.Equal(expected, FrozenBlocks.Run(model, model.Embed(ids, context), context, 0, model.LayerCount).Span.ToArray());
            Assert.Equal(seen.Select(s => s.Layer), kept.Select(k => k.Layer));
            Assert.All(seen.Zip(kept), pair => Assert.Equal(pair.First.Values, pair.Second.Values.Span.ToArray()));
        }
    }

    private static void Keep(Activation kind, Action keep)
    {
        if (kind == Activation.Hidden)
        {
            keep();
        }
    }
}
