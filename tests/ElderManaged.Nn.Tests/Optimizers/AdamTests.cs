using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Nn.Tests;

public sealed class AdamTests
{
    private static readonly AdamOptions Options = new() { LearningRate = 0.01f, Beta1 = 0.8f, Beta2 = 0.95f, Epsilon = 1e-6f, WeightDecay = 0.1f };

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(40_003)]
    public void FollowsThePlainRecurrence(int length)
    {
        // A matrix decays, a vector does not.
        foreach (Shape shape in new[] { new Shape(1, length), new Shape(length) })
        {
            Parameter parameter = Draw("p", shape, 1);
            double[] p = [.. parameter.Value.Span.ToArray()];
            double[] m = new double[length];
            double[] v = new double[length];
            Adam adam = new([parameter], Options);
            for (int step = 1; step <= 6; step++)
            {
                float[] g = Numbers(length, (ulong)(100 + step));
                adam.ZeroGrad();
                g.CopyTo(parameter.Value.GradSink().Span);
                adam.LearningRate = 0.01f * step;
                adam.Step(0.5f);
                PlainStep(p, m, v, g, 0.5, 0.01 * step, step, parameter.Decays ? Options.WeightDecay : 0);
                OpChecks.AssertClose(p, parameter.Value.Span, 1e-5, $"{shape}, step {step}");
            }

            (string name, Tensor first, Tensor second) = Assert.Single(adam.Moments);
            Assert.Equal("p", name);
            Assert.Equal(6, adam.Steps);
            OpChecks.AssertClose(m, first.ReadOnlySpan, 1e-5, "first moments");
            OpChecks.AssertClose(v, second.ReadOnlySpan, 1e-5, "second moments");
        }
    }

    [OpenCLFact]
    public void StepsOnOpenCLFollowTheProcessors() => StepsFollowTheProcessors(TestDevices.OpenCL!);

    [Fact]
    public void StepsInPtxFollowTheProcessors() => StepsFollowTheProcessors(TestDevices.Ptx);

    private static void StepsFollowTheProcessors(Device device)
    {
        Parameter[] here = [Draw("w", new Shape(3, 337), 1), Draw("b", new Shape(41), 2)];
        Parameter[] there = [Draw("w", new Shape(3, 337), 1), Draw("b", new Shape(41), 2)];
        (Adam expected, Adam found) = (new(here, Options), new(there, Options));
        foreach (Parameter parameter in there)
        {
            parameter.Value.MoveTo(device);
        }

        for (int step = 1; step <= 6; step++)
        {
            for (int i = 0; i < here.Length; i++)
            {
                float[] g = Numbers(here[i].Value.Length, (ulong)((10 * step) + i));
                here[i].Value.ZeroGrad();
                there[i].Value.ZeroGrad();
                g.CopyTo(here[i].Value.GradSink().Span);
                g.CopyTo(there[i].Value.GradSink().Span);
                there[i].Value.Grad!.MoveTo(device);
            }

            double norm = expected.GradientNorm();
            Assert.Equal(norm, found.GradientNorm(), 1e-6 * norm);
            expected.Step(0.5f);
            found.Step(0.5f);
        }

        for (int i = 0; i < here.Length; i++)
        {
            Assert.Equal(device, there[i].Value.Device);
            Assert.Equal(device, found.Moments.ElementAt(i).Second.Device);
            OpChecks.AssertClose(Doubles(here[i].Value), there[i].Value.ReadOnlySpan, 1e-6, here[i].Name);
            OpChecks.AssertClose(Doubles(expected.Moments.ElementAt(i).First), found.Moments.ElementAt(i).First.ReadOnlySpan, 1e-6, "first moments");
            OpChecks.AssertClose(Doubles(expected.Moments.ElementAt(i).Second), found.Moments.ElementAt(i).Second.ReadOnlySpan, 1e-6, "second moments");
        }

        found.Reset();
        Assert.All(found.Moments, moments => Assert.All(moments.Second.ReadOnlySpan.ToArray(), value => Assert.Equal(0, value)));

        static double[] Doubles(Tensor tensor) => tensor.ReadOnlySpan.ToArray().Select(value => (double)value).ToArray();
    }

    [Fact]
    public void DecayIsDecoupledFromTheGradient()
    {
        // No gradient, no momentum: what is left is p·(1 − lr·decay), and only for matrices.
        Parameter matrix = new("w", Tensor.Full(new Shape(2, 2), 4));
        Parameter vector = new("b", Tensor.Full(new Shape(3), 4));
        new Adam([matrix, vector], Options with { LearningRate = 0.5f }).Step();
        Assert.All(matrix.Value.Span.ToArray(), value => Assert.Equal(3.8, value, 1e-6));
        Assert.All(vector.Value.Span.ToArray(), value => Assert.Equal(4, value));
    }

    [Fact]
    public void MomentumMovesAParameterWithoutGradient()
    {
        Parameter parameter = Draw("p", new Shape(20), 1);
        Adam adam = new([parameter], Options);
        parameter.Value.GradSink().Span.Fill(1);
        adam.Step();
        float[] before = parameter.Value.Span.ToArray();
        adam.ZeroGrad();
        adam.Step();
        Assert.All(before.Zip(parameter.Value.Span.ToArray()), pair => Assert.True(pair.Second < pair.First));
    }

    [Fact]
    public void ResetIsANewOptimiser()
    {
        Parameter a = Draw("p", new Shape(3, 7), 1);
        Parameter b = Draw("p", new Shape(3, 7), 1);
        float[] start = a.Value.Span.ToArray();
        Adam used = new([a], Options);
        StepWith(used, a, 5);
        StepWith(used, a, 6);
        used.Reset();
        Assert.Equal(0, used.Steps);
        start.CopyTo(a.Value.Span);
        StepWith(used, a, 7);
        StepWith(new Adam([b], Options), b, 7);
        Assert.Equal(b.Value.Span.ToArray(), a.Value.Span.ToArray());
    }

    [Fact]
    public void ResumesFromSavedMoments()
    {
        Parameter a = Draw("p", new Shape(21), 1);
        Adam adam = new([a], Options);
        StepWith(adam, a, 5);
        Parameter b = new("p", new Tensor(new Shape(21), a.Value.Span.ToArray()));
        Adam resumed = new([b], Options);
        foreach (((string _, Tensor first, Tensor second), (string _, Tensor intoFirst, Tensor intoSecond)) in adam.Moments.Zip(resumed.Moments))
        {
            first.ReadOnlySpan.CopyTo(intoFirst.Span);
            second.ReadOnlySpan.CopyTo(intoSecond.Span);
        }

        resumed.ResumeAt(adam.Steps);
        StepWith(adam, a, 6);
        StepWith(resumed, b, 6);
        Assert.Equal(a.Value.Span.ToArray(), b.Value.Span.ToArray());
    }

    [Fact]
    public void ThreadsDoNotChangeBits()
    {
        int before = CpuThreads.Count;
        try
        {
            CpuThreads.Count = 1;
            float[] one = Run();
            CpuThreads.Count = 3;
            Assert.Equal(one, Run());
        }
        finally
        {
            CpuThreads.Count = before;
        }

        static float[] Run()
        {
            Parameter parameter = Draw("p", new Shape(100_003), 1);
            Adam adam = new([parameter], Options);
            StepWith(adam, parameter, 5);
            StepWith(adam, parameter, 6);
            return parameter.Value.Span.ToArray();
        }
    }

    [Fact]
    public void ManySmallParametersAreSteppedAsEachAlone()
    {
        // Pieces of several parameters share a part, and a part may end inside of one.
        int[] lengths = [5, 16_000, 1, 40_000, 333, 16, 20_000];
        Parameter[] together = [.. lengths.Select((length, i) => Draw("p", new Shape(1, length), (ulong)i))];
        Adam adam = new(together, Options);
        for (int step = 0; step < 2; step++)
        {
            foreach (Parameter parameter in together)
            {
                Numbers(parameter.Value.Length, (ulong)(50 + step)).CopyTo(parameter.Value.GradSink().Span);
            }

            adam.Step();
        }

        for (int i = 0; i < lengths.Length; i++)
        {
            Parameter alone = Draw("p", new Shape(1, lengths[i]), (ulong)i);
            Adam own = new([alone], Options);
            StepWith(own, alone, 50);
            StepWith(own, alone, 51);
            Assert.Equal(alone.Value.Span.ToArray(), together[i].Value.Span.ToArray());
        }
    }

    [Fact]
    public void MomentsNeverBecomeSubnormal()
    {
        Parameter parameter = Draw("p", new Shape(37), 1);
        Adam adam = new([parameter], Options);
        float[] sizes = [1, 1e-10f, 1e-16f, 1e-20f, 1e-30f, 1e-38f, 1e-44f];
        Span<float> g = parameter.Value.GradSink().Span;
        for (int i = 0; i < g.Length; i++)
        {
            g[i] = sizes[i % sizes.Length];
        }

        for (int step = 0; step < 2000; step++)
        {
            adam.Step();
            adam.ZeroGrad();
            (string _, Tensor first, Tensor second) = adam.Moments.Single();
            Assert.DoesNotContain(first.Span.ToArray().Concat(second.Span.ToArray()), float.IsSubnormal);
        }

        Assert.All(adam.Moments.Single().First.Span.ToArray(), value => Assert.Equal(0, value)); // 0.8²⁰⁰⁰ of anything
    }

    [Fact]
    public void GradientsNearTheSubnormalRangeCountAsZeroHoweverTheyAreScaled()
    {
        Parameter parameter = Draw("p", new Shape(37), 1);
        Adam adam = new([parameter], Options);
        Span<float> g = parameter.Value.GradSink().Span;
        for (int i = 0; i < g.Length; i++)
        {
            g[i] = i % 2 == 0 ? 1e-37f : -1e-39f;
        }

        g[5] = 1e-30f;
        adam.Step(gradientScale: 1e30f);
        float[] moments = adam.Moments.Single().First.Span.ToArray();
        Assert.All(moments.Where((_, i) => i != 5), moment => Assert.Equal(0f, moment));
        Assert.Equal(1 - Options.Beta1, moments[5], 1e-6f);
    }

    [Fact]
    public void AllocatesNothingOnceWarm()
    {
        Parameter parameter = Draw("p", new Shape(70_001), 1);
        Adam adam = new([parameter], Options);
        AllocationCheck.AllocatesNothing(() =>
        {
            adam.Step();
            adam.ZeroGrad();
        });
    }

    [Fact]
    public void GradientNormIsOverAllParameters()
    {
        Parameter a = Draw("a", new Shape(3, 11), 1);
        Parameter b = Draw("b", new Shape(40_005), 2);
        Parameter none = Draw("none", new Shape(5), 3);
        Adam adam = new([a, b, none], Options);
        Assert.Equal(0, adam.GradientNorm());
        float[] ga = Numbers(33, 8);
        float[] gb = Numbers(40_005, 9);
        ga.CopyTo(a.Value.GradSink().Span);
        gb.CopyTo(b.Value.GradSink().Span);
        double expected = Math.Sqrt(ga.Concat(gb).Sum(g => (double)g * g));
        Assert.Equal(expected, adam.GradientNorm(), 1e-10 * expected);
    }

    // The formulas in the documentation of Adam, as they stand there.
    private static void PlainStep(double[] p, double[] m, double[] v, float[] g, double scale, double rate, int t, double decay)
    {
        for (int i = 0; i < p.Length; i++)
        {
            double gradient = g[i] * scale;
            m[i] = (Options.Beta1 * m[i]) + ((1 - Options.Beta1) * gradient);
            v[i] = (Options.Beta2 * v[i]) + ((1 - Options.Beta2) * gradient * gradient);
            double mean = m[i] / (1 - Math.Pow(Options.Beta1, t));
            double root = Math.Sqrt(v[i]) / Math.Sqrt(1 - Math.Pow(Options.Beta2, t));
            p[i] -= rate * ((mean / (root + Options.Epsilon)) + (decay * p[i]));
        }
    }

    private static void StepWith(Adam adam, Parameter parameter, ulong seed)
    {
        Numbers(parameter.Value.Length, seed).CopyTo(parameter.Value.GradSink().Span);
        adam.Step();
    }

    private static Parameter Draw(string name, Shape shape, ulong seed) => new(name, new Tensor(shape, Numbers(shape.Length, seed)));

    private static float[] Numbers(int length, ulong seed)
    {
        float[] values = new float[length];
        new RandomSource(seed).FillGaussian(values, 1);
        return values;
    }
}
