using ElderManaged.Tensors.Tests.Ops.MatMul;

namespace ElderManaged.Tensors.Tests.Backends.Cpu;

/// <summary>Many rows at once have the bits of each alone: what a row gets never depends on its neighbours.</summary>
public sealed unsafe class RowKernelsTests
{
    [Fact]
    public void ProductsHaveTheBitsOfDots()
    {
        foreach ((int xs, int count, int length) in new[] { (1, 3, 5), (4, 4, 16), (5, 9, 37), (7, 2, 130), (16, 16, 64), (3, 1, 1) })
        {
            float[] x = GemmCase.Numbers(xs * length, 1), rows = GemmCase.Numbers(count * length, 2);
            float[] expected = new float[xs * count], actual = new float[xs * count];
            fixed (float* px = x, pr = rows, pe = expected, pa = actual)
            {
                for (int m = 0; m < xs; m++)
                {
                    RowKernels.Dots(px + (m * length), pr, length, count, length, pe + (m * count));
                }

                RowKernels.Products(px, length, xs, pr, length, count, length, pa, count);
            }

            Assert.Equal(expected, actual);
            double plain = x.Take(length).Zip(rows, (a, b) => (double)a * b).Sum();
            Assert.Equal(plain, actual[0], 1e-4);
        }
    }

    [Theory]
    [InlineData("itself")]
    [InlineData("another")]
    [InlineData("zeros")]
    public void SumsOfProductsHaveTheBitsOfCombinations(string start)
    {
        foreach ((int ys, int count, int length) in new[] { (1, 3, 5), (4, 4, 64), (5, 9, 150), (7, 2, 130), (16, 16, 200), (3, 1, 1), (4, 0, 70) })
        {
            float[] other = GemmCase.Numbers(ys * length, 1), rows = GemmCase.Numbers((count + 1) * length, 2), factors = GemmCase.Numbers((ys * count) + 1, 3);
            float[] actual = GemmCase.Numbers(ys * length, 4);
            float[] expected = start == "itself" ? (float[])actual.Clone() : start == "another" ? (float[])other.Clone() : new float[ys * length];
            fixed (float* py = actual, po = other, pr = rows, pe = expected, pf = factors)
            {
                for (int m = 0; m < ys; m++)
                {
                    RowKernels.AddCombination(pe + (m * length), length, pf + m, ys, pr, length, count);
                }

                RowKernels.AddProducts(py, length, ys, start == "itself" ? py : start == "another" ? po : null, length, pf, 1, ys, pr, length, count);
            }

            Assert.Equal(expected, actual);
        }
    }
}
