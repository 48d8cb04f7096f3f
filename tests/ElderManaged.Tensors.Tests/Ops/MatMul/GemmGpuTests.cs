using System.Text.RegularExpressions;
using ElderManaged.Testing;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Tensors.Tests;

/// <summary>What the products' kernels look like compiled, and what they report.</summary>
public sealed class GemmGpuTests
{
    [Fact]
    public void TilesFuseEveryMultiplyAddAndReadFromSharedMemory()
    {
        string[] texts =
        [
            PtxText.Of(GemmGpu.Kernels<DenseOperand>.Tiles.Method, CudaArchitecture.SM_80),
            PtxText.Of(GemmGpu.Kernels<FloatPanelOperand>.Tiles.Method, CudaArchitecture.SM_80),
            PtxText.Of(GemmGpu.Kernels<WordPanelOperand>.Tiles.Method, CudaArchitecture.SM_80),
        ];
        foreach (string text in texts)
        {
            Assert.True(Regex.Count(text, @"fma\.rn\.f32") >= 16, "fewer than the sixteen multiply-adds of a thread");
            Assert.DoesNotContain(".local", text, StringComparison.Ordinal);
            Assert.Contains(".shared", text, StringComparison.Ordinal);
        }
    }

    [OpenCLFact]
    public void ProductsOnOpenCLAreNoted()
    {
        FrozenMatrix weight = FrozenMatrix.FromDense(new float[6 * 4], 6, 4);
        Tensor x = new(new Shape(3, 4)) { RequiresGrad = true };
        x.MoveTo(TestDevices.OpenCL!);
        using ProductLog log = ProductLog.Start();
        using Tape tape = Tape.Start();
        Tensor y = Op.Linear(x, weight, null);
        tape.Backward(y, new float[18]);
        Assert.Equal(2, log.Count);
        Assert.Equal(2 * 2 * 3 * 6 * 4, log.Operations);
    }
}
