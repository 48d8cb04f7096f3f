using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using ElderManaged.Tensors.Tests.Storage;
using ElderManaged.Testing;
using ElderManaged.Testing.Ptx;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Tensors.Tests;

/// <summary>Products on tensor cores, run from their PTX: against double precision, and what does not go there.</summary>
public sealed class TensorCoreGemmTests
{
    /// <summary>Rows, outputs, inputs: parts of a tile, whole ones, several in each direction, and slices that are not full.</summary>
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 16, 1, 2 }, { 17, 5, 34 }, { 64, 128, 32 }, { 65, 129, 66 }, { 33, 197, 130 }, { 130, 64, 258 }, { 16, 300, 62 },
    };

    // Whole numbers up to 16 have few bits: no product and no sum is rounded, neither by the instruction nor by the kernel.
    [Theory]
    [MemberData(nameof(Shapes))]
    public void WholeNumbersAreExact(int rows, int outputs, int inputs)
    {
        foreach (StoredNumbers format in Formats)
        {
            RandomSource random = new(7);
            Case c = new(random, format, rows, outputs, inputs, (r, _) => r.Next(33) - 16, r => r.Next(9) - 4);
            (float[] y, float[] dx) = c.On(TestDevices.PtxWithTensorCores);
            Assert.Equal(Array.ConvertAll(c.Y(), v => (float)v), y);
            Assert.Equal(Array.ConvertAll(c.Dx(), v => (float)v), dx);
        }
    }

    // Weights are what they are; a row's numbers are rounded once, by at most half a unit in the last place.
    [Theory]
    [MemberData(nameof(Shapes))]
    public void RealNumbersAreRoundedOnceToSixteenBits(int rows, int outputs, int inputs)
    {
        foreach (StoredNumbers format in Formats)
        {
            RandomSource random = new(8);
            Case c = new(random, format, rows, outputs, inputs, (r, _) => r.NextGaussian(), r => r.NextGaussian());
            (float[] y, float[] dx) = c.On(TestDevices.PtxWithTensorCores);
            double unit = (format == StoredNumbers.Float16 ? Math.Pow(2, -11) : Math.Pow(2, -8)) + 1e-5;
            AssertWithin(c.Y(), y, c.Y(sizes: true), unit);
            AssertWithin(c.Dx(), dx, c.Dx(sizes: true), unit);
        }
    }

    // Codes times scales need more digits than float16 has, so weights are rounded as well.
    [Fact]
    public void WeightsInBlocksAreRoundedToo()
    {
        foreach (StoredNumbers format in Enum.GetValues<StoredNumbers>().Where(format => format.BlockLength() > 1))
        {
            Case c = new(new RandomSource(13), format, 18, 70, 256, (r, _) => r.NextGaussian(), r => r.NextGaussian());
            (float[] y, float[] dx) = c.On(TestDevices.PtxWithTensorCores);
            double unit = (2 * Math.Pow(2, -11)) + 1e-5;
            AssertWithin(c.Y(), y, c.Y(sizes: true), unit);
            AssertWithin(c.Dx(), dx, c.Dx(sizes: true), unit);
        }
    }

    // Rows of very different sizes, beyond the range of float16 in both directions, keep their digits.
    [Fact]
    public void LargeAndSmallRowsNeitherOverflowNorVanish()
    {
        double[] sizes = [1e30, 1e9, 70_000, 1, 1e-6, 1e-12, 1e-30, 1e-37];
        RandomSource random = new(9);
        Case c = new(random, StoredNumbers.Float16, 24, 40, 70, (r, row) => r.NextGaussian() * sizes[row % sizes.Length], r => r.NextGaussian());
        (float[] y, float[] dx) = c.On(TestDevices.PtxWithTensorCores, bias: false);
        double unit = Math.Pow(2, -11) + 1e-5;
        AssertWithin(c.Y(bias: false), y, c.Y(sizes: true, bias: false), unit);
        AssertWithin(c.Dx(), dx, c.Dx(sizes: true), unit);
    }

    [Fact]
    public void WhatIsNotFiniteStaysInItsRow()
    {
        RandomSource random = new(10);
        Case c = new(random, StoredNumbers.Float16, 20, 9, 34, (r, row) => row switch { 3 => float.NaN, 7 => float.PositiveInfinity, 11 => 0, _ => 1 }, _ => 2);
        (float[] y, _) = c.On(TestDevices.PtxWithTensorCores, bias: false);
        for (int row = 0; row < 20; row++)
        {
            float expected = row switch { 3 => float.NaN, 7 => float.PositiveInfinity, 11 => 0, _ => 2 * 34 };
            Assert.All(y.AsSpan(row * 9, 9).ToArray(), value => Assert.Equal(expected, value));
        }
    }

    // The bits of a device without tensor cores, since the same kernels run.
    [Theory]
    [InlineData(StoredNumbers.Float16, TensorCoreGemm.LeastRows - 1, 34)]
    [InlineData(StoredNumbers.Float16, 20, 33)]
    [InlineData(StoredNumbers.Float32, 20, 34)]
    [InlineData(StoredNumbers.Q8_0, TensorCoreGemm.LeastRows - 1, 64)]
    public void FewRowsOddInputsAndFloat32TakeTheOrdinaryKernels(StoredNumbers format, int rows, int inputs)
    {
        Case Draw() => new(new RandomSource(11), format, rows, 24, inputs, (r, _) => r.NextGaussian(), r => r.NextGaussian());
        (float[] y, float[] dx) = Draw().On(TestDevices.PtxWithTensorCores);
        (float[] expectedY, float[] expectedDx) = Draw().On(TestDevices.Ptx);
        Assert.Equal(expectedY, y);
        Assert.Equal(expectedDx, dx);
    }

    [Fact]
    public void ADeviceWithoutThemTakesTheOrdinaryKernels()
    {
        Case Draw() => new(new RandomSource(12), StoredNumbers.Float16, 20, 24, 34, (r, _) => r.NextGaussian(), r => r.NextGaussian());
        Assert.NotEqual(Draw().On(TestDevices.Ptx).Y, Draw().On(TestDevices.PtxWithTensorCores).Y);
        Assert.False(((GpuDevice)TestDevices.Ptx).TensorCores);
    }

    // What the interpreter is for: each barrier of the real text is needed, and that one is missing is seen.
    [Fact]
    public void WithoutOneOfItsBarriersAKernelIsRefused()
    {
        const string Barrier = "bar.sync";
        string text = PtxText.Of(TensorCoreGemm.Kernels<HalfNumbers>.Tiles.Method, CudaArchitecture.SM_80);
        Assert.Equal(2, Regex.Count(text, Barrier));
        for (int missing = 0; missing < 2; missing++)
        {
            int seen = 0;
            string Without(string name, string text) => name.StartsWith("TensorCoreGemm.Tiles", StringComparison.Ordinal)
                ? string.Join('\n', text.Split('\n').Where(line => !line.Contains(Barrier, StringComparison.Ordinal) || seen++ != missing))
                : text;
            using PtxDevice device = new(CudaArchitecture.SM_80, Without) { TensorCores = true };
            Case c = new(new RandomSource(14), StoredNumbers.Float16, 16, 4, 130, (r, _) => r.NextGaussian(), r => r.NextGaussian());
            Assert.Contains("since the last barrier", Assert.Throws<PtxException>(() => c.On(device)).Message, StringComparison.Ordinal);
        }
    }

    // A fragment that comes in another order is seen by the numbers.
    [Fact]
    public void AnotherOrderOfRegistersGivesOtherNumbers()
    {
        string Exchanged(string name, string text) => Regex.Replace(text, @"(mma\.sync\S+\s+\{[^}]*\}, \{%\w+, )(%\w+), (%\w+)", "$1$3, $2");
        using PtxDevice device = new(CudaArchitecture.SM_80, Exchanged) { TensorCores = true };
        Case c = new(new RandomSource(15), StoredNumbers.Float16, 33, 40, 34, (r, _) => r.NextGaussian(), r => r.NextGaussian());
        Assert.NotEqual(c.On(TestDevices.PtxWithTensorCores).Y, c.On(device).Y);
    }

    [Fact]
    public void TilesMoveFourWordsAtOnceAndKeepEverythingInRegisters()
    {
        string[] texts =
        [
            PtxText.Of(TensorCoreGemm.Kernels<HalfNumbers>.Tiles.Method, CudaArchitecture.SM_80),
            PtxText.Of(TensorCoreGemm.Kernels<BFloatNumbers>.Tiles.Method, CudaArchitecture.SM_90),
        ];
        foreach (string text in texts)
        {
            Assert.Equal(8, Regex.Count(text, @"mma\.sync"));
            Assert.Contains("ld.global.v4.b32", text, StringComparison.Ordinal);
            Assert.Contains("st.shared.v4.b32", text, StringComparison.Ordinal);
            Assert.DoesNotContain("st.shared.b32", text, StringComparison.Ordinal);
            Assert.DoesNotContain(".local", text, StringComparison.Ordinal);
        }
    }

    private static StoredNumbers[] Formats => [StoredNumbers.Float16, StoredNumbers.BFloat16];

    private static void AssertWithin(double[] expected, float[] found, double[] sizes, double unit)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(found[i] - expected[i]) <= unit * sizes[i], $"Element {i} is {found[i]:R}, expected {expected[i]:R}; {unit * sizes[i]:E2} are allowed.");
        }
    }

    /// <summary>y = x·Wᵀ + bias, and the gradient of x of two such products.</summary>
    private sealed class Case
    {
        private readonly int _rows, _outputs, _inputs;
        private readonly FrozenMatrix _weight;
        private readonly double[] _x, _dy, _w, _bias;

        public Case(RandomSource random, StoredNumbers format, int rows, int outputs, int inputs, Func<RandomSource, int, double> x, Func<RandomSource, double> w)
        {
            (_rows, _outputs, _inputs) = (rows, outputs, inputs);
            _weight = FrozenMatrix.FromStored(format, Stored(random, format, outputs * inputs, w), outputs, inputs);
            _w = Array.ConvertAll(Op.Embedding(_weight, [.. Enumerable.Range(0, outputs)]).ReadOnlySpan.ToArray(), v => (double)v);
            _x = [.. Enumerable.Range(0, rows * inputs).Select(i => (double)(float)x(random, i / inputs))];
            _dy = [.. Enumerable.Range(0, rows * outputs).Select(i => (double)(float)x(random, i / outputs))];
            _bias = [.. Enumerable.Range(0, outputs).Select(_ => (double)(float)w(random))];
        }

        public (float[] Y, float[] Dx) On(Device device, bool bias = true)
        {
            Tensor x = new(new Shape(_rows, _inputs), Array.ConvertAll(_x, v => (float)v)) { RequiresGrad = true };
            x.MoveTo(device);
            float[] dy = Array.ConvertAll(_dy, v => (float)v);
            using Tape tape = Tape.Start();
            Tensor y = Op.Linear(x, _weight, bias ? new Tensor(new Shape(_outputs), Array.ConvertAll(_bias, v => (float)v)) : null);
            tape.Backward(y, dy);
            tape.Backward(Op.Linear(x, _weight, null), dy); // adds to what is there
            return (y.ReadOnlySpan.ToArray(), x.Grad!.ReadOnlySpan.ToArray());
        }

        /// <summary>y in double precision; or, for <paramref name="sizes"/>, the sums of what was added up without signs.</summary>
        public double[] Y(bool sizes = false, bool bias = true) => Product(
            _outputs, _inputs, (row, k) => _x[(row * _inputs) + k], (k, column) => _w[(column * _inputs) + k], column => bias ? _bias[column] : 0, sizes);

        public double[] Dx(bool sizes = false) => Array.ConvertAll(
            Product(_inputs, _outputs, (row, k) => _dy[(row * _outputs) + k], (k, column) => _w[(k * _inputs) + column], _ => 0, sizes), v => 2 * v);

        private double[] Product(int columns, int depth, Func<int, int, double> a, Func<int, int, double> b, Func<int, double> start, bool sizes)
        {
            double[] c = new double[_rows * columns];
            for (int i = 0; i < c.Length; i++)
            {
                (int row, int column) = (i / columns, i % columns);
                c[i] = sizes ? Math.Abs(start(column)) : start(column);
                for (int k = 0; k < depth; k++)
                {
                    double product = a(row, k) * b(k, column);
                    c[i] += sizes ? Math.Abs(product) : product;
                }
            }

            return c;
        }

        private static byte[] Stored(RandomSource random, StoredNumbers format, int count, Func<RandomSource, double> w) => format switch
        {
            StoredNumbers.Float16 => MemoryMarshal.AsBytes<Half>([.. Enumerable.Range(0, count).Select(_ => (Half)w(random))]).ToArray(),
            StoredNumbers.BFloat16 => MemoryMarshal.AsBytes<ushort>([.. Enumerable.Range(0, count).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits((float)w(random)) >> 16))]).ToArray(),
            _ => StoredMatrixTests.Stored(format, count, 5),
        };
    }
}
