using System.Reflection;
using System.Text.RegularExpressions;
using ElderManaged.Testing;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Tensors.Tests;

/// <summary>What the products' kernels look like compiled, and what they report.</summary>
public sealed class GemmGpuTests
{
    // Sixteen to sixty-four sums a thread, one barrier, which is in the loop over slices, and two stages of shared memory.
    [Fact]
    public void EveryTileKeepsItsSumsInRegistersAndHasOneBarrierForASlice()
    {
        MethodInfo[] kernels = [.. PtxText.AllKernels().Where(kernel => kernel.DeclaringType == typeof(GemmTiles))];
        Assert.Equal(5 * GemmTileSize.All.Length, kernels.Length); // dense, float32 panels, 16, 8 and 4 bits
        foreach (MethodInfo kernel in kernels)
        {
            string text = PtxText.Of(kernel, CudaArchitecture.SM_80), name = GpuKernels.NameOf(kernel);
            GemmTileSize size = GemmTileSize.All[Array.FindIndex(GemmTileSize.Names, size => name.Contains($"Tile{size},", StringComparison.Ordinal))];
            Assert.True(Regex.Count(text, @"fma\.rn\.f32") >= size.Rows * size.Columns / size.Threads, $"{name}: fewer multiply-adds than a thread has sums.");
            Assert.Equal(1, Regex.Count(text, @"bar\.sync"));
            Assert.DoesNotContain(".local", text, StringComparison.Ordinal);
            Assert.Equal(size.SharedBytes, Regex.Matches(text, @"\.shared \.align 16 \.b8 \w+\[(\d+)\]").Sum(match => int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)));
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
