using ElderManaged.Tensors;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Testing;

/// <summary>
/// One op as the tests see it: random inputs, the fast op, and its plain double-precision twin forward and backward.
/// </summary>
/// <param name="Name">The op.</param>
/// <param name="Draw">Draws an instance: shapes (odd, unequal), values and everything the op needs besides.</param>
public sealed record OpCase(string Name, Func<RandomSource, OpInstance> Draw);

/// <summary>One drawn instance of an <see cref="OpCase"/>.</summary>
public sealed class OpInstance
{
    /// <summary>The differentiable inputs; values are rounded to float32 first, so fast and plain see the same.</summary>
    public required IReadOnlyList<OpInput> Inputs { get; init; }

    /// <summary>The op under test.</summary>
    public required Func<Tensor[], Tensor> Fast { get; init; }

    /// <summary>The twin: y from the inputs.</summary>
    public required Func<double[][], double[]> Plain { get; init; }

    /// <summary>The twin's backward: the gradient of every input from inputs and dy; null where none flows.</summary>
    public required Func<double[][], double[], double[]?[]> PlainBackward { get; init; }

    /// <summary>Said when a check fails.</summary>
    public string Description { get; init; } = "";
}

/// <summary>An input: its shape and values.</summary>
public sealed record OpInput(Shape Shape, double[] Values)
{
    /// <summary>Standard normal values times <paramref name="scale"/>, plus <paramref name="shift"/>.</summary>
    public static OpInput Gaussian(RandomSource random, Shape shape, double scale = 1, double shift = 0)
    {
        double[] values = new double[shape.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)((random.NextGaussian() * scale) + shift);
        }

        return new OpInput(shape, values);
    }
}

/// <summary>The questions every op is asked.</summary>
public static class OpChecks
{
    /// <summary>Central differences against the twin's backward, relative.</summary>
    public const double DifferenceTolerance = 1e-6;

    /// <summary>Fast kernel against twin, relative to the largest value.</summary>
    public const double KernelTolerance = 1e-5;

    /// <summary>Asks all questions of <paramref name="cases"/> random instances (FsCheck draws the seeds).</summary>
    public static void Holds(OpCase op, int cases = 40)
    {
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => CheckInstance(op, (ulong)(uint)seed))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(cases).WithReplay(((ulong)StableHash(op.Name)) | 1UL, 1UL));
    }

    /// <summary>
    /// Asks some random instances, forward and backward, on a device: its results against the plain twin, and that op and
    /// gradients stayed on the device.
    /// </summary>
    public static void HoldsOn(Device? device, OpCase op, int cases = 12)
    {
        Assert.NotNull(device);
        for (int i = 0; i < cases; i++)
        {
            CheckInstance(op, StableHash(op.Name) + (ulong)i, device);
        }
    }

    /// <summary>Asks all questions of the instance drawn from a seed.</summary>
    public static void CheckInstance(OpCase op, ulong seed, Device? device = null)
    {
        OpInstance instance = op.Draw(new RandomSource(seed));
        string label = $"{op.Name} (seed {seed}) {instance.Description} {string.Join(" ", instance.Inputs.Select(i => i.Shape))}";
        double[][] inputs = instance.Inputs.Select(i => i.Values.ToArray()).ToArray();
        double[] y = instance.Plain(inputs);
        RandomSource random = new(seed ^ 0xD1FFUL);
        double[] dy = new double[y.Length];
        for (int i = 0; i < dy.Length; i++)
        {
            dy[i] = random.NextGaussian();
            dy[i] = (float)dy[i];
        }

        double[]?[] gradients = instance.PlainBackward(inputs, dy);
        if (device is null)
        {
            CentralDifferences(instance, inputs, dy, gradients, label, random);
        }

        Tensor[] tensors = instance.Inputs.Select(i => new Tensor(i.Shape, i.Values.Select(v => (float)v).ToArray())).ToArray();
        for (int i = 0; i < tensors.Length; i++)
        {
            tensors[i].RequiresGrad = gradients[i] is not null;
            tensors[i].MoveTo(device ?? Device.Cpu);
        }

        // Outside of a tape: values only.
        AssertClose(y, instance.Fast(tensors).ReadOnlySpan, KernelTolerance, $"{label}: value outside of a tape");

        using Tape tape = Tape.Start();
        Tensor fast = instance.Fast(tensors);
        AssertStays(fast, device, $"{label}: the value");
        AssertClose(y, fast.ReadOnlySpan, KernelTolerance, $"{label}: value");
        if (gradients.All(g => g is null))
        {
            return;
        }

        tape.Backward(fast, dy.Select(v => (float)v).ToArray());
        for (int i = 0; i < tensors.Length; i++)
        {
            if (gradients[i] is { } expected)
            {
                Tensor found = tensors[i].Grad ?? new Tensor(tensors[i].Shape);
                AssertStays(found, device, $"{label}: the gradient of input {i}");
                AssertClose(expected, found.ReadOnlySpan, KernelTolerance, $"{label}: gradient of input {i}");
            }
        }
    }

    /// <summary>Throws unless all values are within <paramref name="tolerance"/> times the largest expected size.</summary>
    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> found, double tolerance, string label)
    {
        Assert.True(expected.Length == found.Length, $"{label}: {found.Length} values, expected {expected.Length}.");
        double largest = 1e-3;
        foreach (double value in expected)
        {
            largest = Math.Max(largest, Math.Abs(value));
        }

        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(expected[i] - found[i]);
            if (!(error <= tolerance * largest))
            {
                Assert.Fail($"{label}: element {i} is {found[i]:R}, expected {expected[i]:R}, error {error:E2} of largest {largest:E2}.");
            }
        }
    }

    private static void AssertStays(Tensor tensor, Device? device, string label) =>
        Assert.True(device is null || tensor.Device == device, $"{label} is on {tensor.Device}, not on {device}.");

    private static void CentralDifferences(
        OpInstance instance, double[][] inputs, double[] dy, double[]?[] gradients, string label, RandomSource random)
    {
        for (int i = 0; i < inputs.Length; i++)
        {
            if (gradients[i] is not { } gradient)
            {
                continue;
            }

            Assert.True(gradient.Length == inputs[i].Length, $"{label}: gradient {i} has {gradient.Length} values for {inputs[i].Length}.");

            // All elements of small inputs, a random sample of large ones.
            int count = Math.Min(inputs[i].Length, 24);
            for (int c = 0; c < count; c++)
            {
                int j = count == inputs[i].Length ? c : random.Next(inputs[i].Length);
                double kept = inputs[i][j];
                double h = 1e-5 * Math.Max(1, Math.Abs(kept));
                inputs[i][j] = kept + h;
                double[] up = instance.Plain(inputs);
                inputs[i][j] = kept - h;
                double[] down = instance.Plain(inputs);
                inputs[i][j] = kept;
                double slope = 0;
                double scale = 1;
                for (int o = 0; o < dy.Length; o++)
                {
                    double part = dy[o] * (up[o] - down[o]) / (2 * h);
                    slope += part;
                    scale = Math.Max(scale, Math.Abs(part));
                }

                double error = Math.Abs(slope - gradient[j]) / Math.Max(scale, Math.Abs(gradient[j]));
                Assert.True(
                    error <= DifferenceTolerance,
                    $"{label}: d/d(input {i}[{j}]) is {gradient[j]:R}, central difference {slope:R}, relative error {error:E2}.");
            }
        }
    }

    private static uint StableHash(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 16777619;
        }

        return hash;
    }
}
