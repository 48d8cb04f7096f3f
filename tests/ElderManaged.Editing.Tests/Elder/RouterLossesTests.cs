using ElderManaged.Editing.Elder;
using ElderManaged.Tensors;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class RouterLossesTests
{
    private static readonly Gen<(int Layers, int Samples, int Count, int Active, ulong Seed)> Shapes =
        from layers in Gen.Choose(1, 3)
        from samples in Gen.Choose(1, 5)
        from count in Gen.Choose(2, 9)
        from active in Gen.Choose(1, count)
        from seed in Gen.Choose(0, int.MaxValue - 1)
        select (layers, samples, count, active, (ulong)seed);

    [Fact]
    public void GuidedLossAndItsSlopeAreThoseOfThePlainSum() => Prop.ForAll(Shapes.ToArbitrary(), s =>
    {
        Tensor[] logits = Logits(s.Layers, s.Samples, s.Count, s.Seed);
        UniqueAllocator allocator = new(s.Layers, s.Count, s.Active, s.Seed);
        Allocation[] allocations = [.. Enumerable.Repeat(allocator.Allocate("a"), s.Samples)];
        using Tape tape = Tape.Start();
        Tensor loss = RouterLosses.Guided([.. logits.Select(Op.Softmax)], allocations);
        double expected = 0;
        double[][,] slopes = new double[s.Layers][,];
        for (int l = 0; l < s.Layers; l++)
        {
            slopes[l] = new double[s.Samples, s.Count];
            for (int b = 0; b < s.Samples; b++)
            {
                double[] p = Softmax(logits[l].Row(b).ToArray());
                foreach (int j in allocations[b].Layer(l))
                {
                    expected -= Math.Log(p[j]) / s.Samples;
                }

                for (int j = 0; j < s.Count; j++)
                {
                    // d/dz_j Σ_{i ∈ 𝒜} −ln p_i = k·p_j − [j ∈ 𝒜]
                    slopes[l][b, j] = ((s.Active * p[j]) - (allocations[b].Layer(l).Contains(j) ? 1 : 0)) / s.Samples;
                }
            }
        }

        Assert.Equal(expected, loss.Value, 1e-5 * Math.Max(1, expected));
        tape.Backward(loss);
        for (int l = 0; l < s.Layers; l++)
        {
            Assert.All(slopes[l].Cast<double>().Zip(logits[l].Grad!.Span.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void BalancingLossIsThatOfThePlainSum() => Prop.ForAll(Shapes.ToArbitrary(), s =>
    {
        Tensor[] logits = Logits(s.Layers, s.Samples, s.Count, s.Seed);
        double expected = 0;
        foreach (Tensor layer in logits)
        {
            double[] share = new double[s.Count], mean = new double[s.Count];
            for (int b = 0; b < s.Samples; b++)
            {
                double[] p = Softmax(layer.Row(b).ToArray());
                share[Array.IndexOf(p, p.Max())] += 1.0 / s.Samples;
                for (int j = 0; j < s.Count; j++)
                {
                    mean[j] += p[j] / s.Samples;
                }
            }

            expected += s.Count * share.Zip(mean, (f, p) => f * p).Sum();
        }

        using Tape tape = Tape.Start(record: false);
        Assert.Equal(expected, RouterLosses.Balancing([.. logits.Select(Op.Softmax)]).Value, 1e-5 * Math.Max(1, expected));
    }).QuickCheckThrowOnFailure();

    private static Tensor[] Logits(int layers, int samples, int count, ulong seed)
    {
        RandomSource random = new(seed);
        return [.. Enumerable.Range(0, layers).Select(_ =>
        {
            Tensor tensor = new(new Shape(samples, count)) { RequiresGrad = true };
            random.FillGaussian(tensor.Span, 2);
            return tensor;
        })];
    }

    private static double[] Softmax(float[] z)
    {
        double[] e = [.. z.Select(v => Math.Exp(v - z.Max()))];
        return [.. e.Select(v => v / e.Sum())];
    }
}
