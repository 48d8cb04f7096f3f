using System.Reflection;
using System.Text.RegularExpressions;
using ElderManaged.Testing;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Tensors.Tests;

/// <summary>Every kernel compiles for every generation of NVIDIA's GPUs, and its text shows what it should.</summary>
public sealed class PtxTests
{
    [Fact]
    public void EveryKernelCompilesForEveryArchitecture()
    {
        IReadOnlyList<MethodInfo> kernels = PtxText.AllKernels();
        Assert.NotEmpty(kernels);
        foreach (MethodInfo kernel in kernels)
        {
            foreach (CudaArchitecture architecture in PtxText.Architectures.Where(architecture => GpuKernelText.Supports(kernel, architecture)))
            {
                string ptx = PtxText.Of(kernel, architecture);
                Assert.True(ptx.Contains(".entry", StringComparison.Ordinal), $"{GpuKernels.NameOf(kernel)} for {architecture}: no entry.");
                Assert.False(ptx.Contains(".f64", StringComparison.Ordinal), $"{GpuKernels.NameOf(kernel)} for {architecture} computes in double precision, which is 32 to 64 times slower.");
                Assert.False(ptx.Contains(".local", StringComparison.Ordinal), $"{GpuKernels.NameOf(kernel)} for {architecture} keeps an array in local memory, which is as slow as global memory.");
            }
        }
    }

    [Fact]
    public void OnlyTensorCoresNeedALaterArchitecture()
    {
        MethodInfo[] later = [.. PtxText.AllKernels().Where(kernel => !GpuKernelText.Supports(kernel, CudaArchitecture.SM_75))];
        Assert.Equal(8, later.Length);
        Assert.All(later, kernel => Assert.StartsWith("TensorCoreGemm.", GpuKernels.NameOf(kernel), StringComparison.Ordinal));
        Assert.All(later, kernel => Assert.True(GpuKernelText.Supports(kernel, CudaArchitecture.SM_80) && !GpuKernelText.Supports(kernel, null)));
    }

    [Theory]
    [InlineData("GemmTiles.Run")]
    [InlineData("GemmFewRows.Chains")]
    [InlineData("AttentionGpuKernels.")]
    [InlineData("LoraMixture")]
    public void SumsOfProductsUseFusedMultiplyAdd(string name)
    {
        MethodInfo[] kernels = [.. PtxText.AllKernels().Where(kernel => GpuKernels.NameOf(kernel).StartsWith(name, StringComparison.Ordinal))];
        Assert.NotEmpty(kernels);
        Assert.All(kernels, kernel => Assert.Contains("fma.rn.f32", PtxText.Of(kernel, CudaArchitecture.SM_80), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("AttentionGpuKernels.Values", 4)] // of q and k, twice of v
    [InlineData("AttentionGpuKernels.QuerySlopes", 6)] // of q, k, dy and v, twice of k
    [InlineData("AttentionGpuKernels.KeySlopes", 8)] // the same, twice of q and of dy
    public void AttentionReadsFourNumbersAtOnce(string name, int loads)
    {
        string ptx = PtxText.Of(PtxText.AllKernels().Single(kernel => GpuKernels.NameOf(kernel) == name), CudaArchitecture.SM_80);
        Assert.True(Regex.Count(ptx, @"ld\.global\.v4\.f32") >= loads, $"{name}: fewer than {loads} loads of four numbers.");
        Assert.Contains("ld.shared.v4.f32", ptx, StringComparison.Ordinal);
        Assert.Contains("st.global.v4.f32", ptx, StringComparison.Ordinal);
    }

    // Products are the more held up by memory the more loads they need: all are of 128 bits, but for ragged edges.
    [Theory]
    [InlineData("GemmTiles.Run", "ld.global.v4.f32", "st.shared.v4.f32", "ld.shared.v4.f32", "st.global.v4.f32")]
    [InlineData("GemmFewRows.Chains", "ld.global.v4.f32", "st.shared.v4.f32")]
    public void ProductsMoveFourNumbersAtOnce(string name, params string[] instructions)
    {
        MethodInfo[] kernels = [.. PtxText.AllKernels().Where(kernel => GpuKernels.NameOf(kernel).StartsWith(name, StringComparison.Ordinal))];
        Assert.NotEmpty(kernels);
        foreach (MethodInfo kernel in kernels)
        {
            string ptx = PtxText.Of(kernel, CudaArchitecture.SM_80);
            Assert.All(instructions, instruction => Assert.True(ptx.Contains(instruction, StringComparison.Ordinal), $"{GpuKernels.NameOf(kernel)} has no {instruction}."));
        }
    }

    [Fact]
    public void FormulasUseFusedMultiplyAdd() =>
        Assert.Contains("fma.rn.f32", PtxText.Of(GpuElementwise.UnaryKernels<GeluFormula>.Value.Method, CudaArchitecture.SM_80), StringComparison.Ordinal);
}
