using ElderManaged.Tensors.Tests.Storage;
using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests.Ops.MatMul;

/// <summary>Tiles of every size give the same bits: those of the documented order of summation.</summary>
public sealed class GemmTilesTests
{
    // Rows, columns and k that fill tiles, reach over their edges, are aligned to four numbers and are not.
    private static readonly (int Rows, int In, int Out)[] Shapes = [(5, 64, 64), (70, 72, 132), (130, 131, 67)];

    [OpenCLFact]
    public void DenseProductsOnOpenCLDoNotDependOnTheSize() => SameForAll(GemmTileSize.Names, (device, shape) =>
    {
        RandomSource random = new(11);
        List<float[]> found = [];
        foreach ((bool transposeA, bool transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            Tensor a = On(device, random, transposeA ? new Shape(2, shape.In, shape.Rows) : new Shape(2, shape.Rows, shape.In));
            Tensor b = On(device, random, transposeB ? new Shape(2, shape.Out, shape.In) : new Shape(2, shape.In, shape.Out));
            found.AddRange(WithGradients(() => Op.MatMul(a, b, transposeA, transposeB), random, a, b));
        }

        Tensor x = On(device, random, new Shape(shape.Rows, shape.In)), weight = On(device, random, new Shape(shape.Out, shape.In)), bias = On(device, random, new Shape(shape.Out));
        found.AddRange(WithGradients(() => Op.Linear(x, weight, bias), random, x, weight));
        return found;
    });

    // Two sizes for every format: a driver takes seconds to compile each, and the simulator takes all.
    [OpenCLFact]
    public void FrozenProductsOnOpenCLDoNotDependOnTheSize() => SameForAll(["64x128", "32x64"], (device, shape) =>
    {
        RandomSource random = new(12);
        List<float[]> found = [];
        foreach (StoredNumbers numbers in Enum.GetValues<StoredNumbers>())
        {
            int block = numbers.BlockLength(), inputs = (shape.In + block - 1) / block * block;
            FrozenMatrix weight = FrozenMatrix.FromStored(numbers, StoredMatrixTests.Stored(numbers, shape.Out * inputs, 5), shape.Out, inputs);
            Tensor x = On(device, random, new Shape(shape.Rows, inputs)), bias = On(device, random, new Shape(shape.Out));
            found.AddRange(WithGradients(() => Op.Linear(x, weight, bias), random, x));
        }

        return found;
    });

    // The simulator's multiply-adds are fused, so the order can be written down: for each kind of B, both ways.
    [Theory]
    [InlineData(StoredNumbers.Float32)]
    [InlineData(StoredNumbers.Float16)]
    [InlineData(StoredNumbers.Q8_0)]
    [InlineData(StoredNumbers.Q4_1)]
    public void OnTheSimulatorEverySizeHasTheBitsOfChainsOfSixtyFour(StoredNumbers numbers)
    {
        (int rows, int inputs, int outputs) = (6, 96, 67);
        RandomSource random = new(13);
        FrozenMatrix weight = FrozenMatrix.FromStored(numbers, StoredMatrixTests.Stored(numbers, outputs * inputs, 5), outputs, inputs);
        float[] w = Op.Embedding(weight, [.. Enumerable.Range(0, outputs)]).ReadOnlySpan.ToArray();
        Tensor x = On(TestDevices.Simulator, random, new Shape(rows, inputs)), dy = On(TestDevices.Simulator, random, new Shape(rows, outputs));
        float[] expectedY = Chains(rows, outputs, inputs, x.ReadOnlySpan, w, 1, inputs);
        float[] expectedDx = Chains(rows, inputs, outputs, dy.ReadOnlySpan, w, inputs, 1);
        foreach (string size in GemmTileSize.Names)
        {
            using Fixed tiles = new(TestDevices.Simulator, size);
            Tensor y = new(new Shape(rows, outputs)), dx = new(new Shape(rows, inputs));
            weight.MultiplyOn((GpuDevice)TestDevices.Simulator, x, y, null);
            weight.MultiplyTransposedOn((GpuDevice)TestDevices.Simulator, dy, dx, fresh: true);
            Assert.Equal(expectedY, y.ReadOnlySpan.ToArray());
            Assert.Equal(expectedDx, dx.ReadOnlySpan.ToArray());
        }
    }

    [Theory]
    [InlineData(5, 4096, 132, "16x64")]
    [InlineData(30, 4096, 132, "16x64")]
    [InlineData(30, 16384, 132, "32x64")]
    [InlineData(1024, 4096, 132, "128x128")]
    [InlineData(4096, 11008, 132, "128x128")]
    [InlineData(64, 50257, 132, "64x128")]
    [InlineData(64, 64, 1, "64x64")]
    public void WithoutMeasuringACountDecides(int rows, int columns, int processors, string expected) =>
        Assert.Equal(expected, GemmTileSize.Names[GemmTuning.Default(rows, columns, 1, processors)]);

    // B[p, j] lies at p·depthStride + j·columnStride.
    private static float[] Chains(int m, int n, int k, ReadOnlySpan<float> a, float[] b, int depthStride, int columnStride)
    {
        float[] c = new float[m * n];
        for (int i = 0; i < c.Length; i++)
        {
            for (int start = 0; start < k; start += GemmGpu.Block)
            {
                float sum = 0;
                for (int p = start; p < Math.Min(start + GemmGpu.Block, k); p++)
                {
                    sum = MathF.FusedMultiplyAdd(a[(i / n * k) + p], b[(p * depthStride) + (i % n * columnStride)], sum);
                }

                c[i] += sum;
            }
        }

        return c;
    }

    private static void SameForAll(string[] sizes, Func<Device, (int Rows, int In, int Out), List<float[]>> products)
    {
        using Device device = TestDevices.NewOpenCL(); // of its own: its tiles are not those of others
        foreach ((int Rows, int In, int Out) shape in Shapes)
        {
            List<float[]>? expected = null;
            foreach (string size in sizes)
            {
                using Fixed tiles = new(device, size);
                List<float[]> found = products(device, shape);
                expected ??= found;
                for (int i = 0; i < found.Count; i++)
                {
                    Assert.True(expected[i].AsSpan().SequenceEqual(found[i]), $"Product {i} of {shape} with tiles of {size} has other bits than with {sizes[0]}.");
                }
            }
        }
    }

    // y and the gradients, added to what was there before, so that accumulation is seen as well.
    private static List<float[]> WithGradients(Func<Tensor> product, RandomSource random, params Tensor[] inputs)
    {
        foreach (Tensor input in inputs)
        {
            input.RequiresGrad = true;
        }

        using Tape tape = Tape.Start();
        Tensor y = product();
        float[] dy = new float[y.Length];
        random.FillUniform(dy, -1, 1);
        List<float[]> found = [y.ReadOnlySpan.ToArray()];
        tape.Backward(y, dy);
        tape.Backward(product(), dy);
        found.AddRange(inputs.Select(input => input.Grad!.ReadOnlySpan.ToArray()));
        return found;
    }

    private static Tensor On(Device device, RandomSource random, Shape shape)
    {
        Tensor tensor = new(shape);
        random.FillUniform(tensor.Span, -1, 1);
        tensor.MoveTo(device);
        return tensor;
    }

    /// <summary>While it lives, all products of a device take tiles of one size.</summary>
    private sealed class Fixed : IGpuChoices, IDisposable
    {
        private readonly GpuDevice gpu;
        private readonly string size;

        public Fixed(Device device, string size)
        {
            (gpu, this.size) = ((GpuDevice)device, size);
            gpu.Tuner = new GpuTuner("", this, TimeProvider.System);
        }

        public void Dispose() => gpu.Tuner = null;

        public string? Find(string device, string key) => size;

        public void Keep(string device, string key, string choice) => Assert.Fail("Nothing should be measured.");
    }
}
