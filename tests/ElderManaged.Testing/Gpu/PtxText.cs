using System.Reflection;
using ElderManaged.Tensors;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Testing;

/// <summary>Compiles kernels to PTX for any NVIDIA architecture, which needs no device.</summary>
public static class PtxText
{
    /// <inheritdoc cref="GpuKernelText.Architectures"/>
    public static IReadOnlyList<CudaArchitecture> Architectures => GpuKernelText.Architectures;

    /// <inheritdoc cref="GpuKernelText.AllKernels"/>
    public static IReadOnlyList<MethodInfo> AllKernels() => GpuKernelText.AllKernels();

    /// <summary>The PTX of a kernel.</summary>
    public static string Of(MethodInfo kernel, CudaArchitecture architecture) => GpuKernelText.Ptx(TestDevices.Context, kernel, architecture);
}
