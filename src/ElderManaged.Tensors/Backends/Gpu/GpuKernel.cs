using System.Reflection;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>What tools and tests need to know of a kernel: the method, and how it looks compiled.</summary>
internal interface IGpuKernel
{
    /// <summary>The method that one thread of a GPU runs; it takes one structure of arguments.</summary>
    MethodInfo Method { get; }
}

/// <summary>
/// A function that many threads of a GPU run at once, compiled for a device when first used there and kept. Declare it as a
/// static read-only field beside its op; tools find it there.
/// </summary>
/// <typeparam name="TArguments">All arguments: views of device memory and numbers.</typeparam>
internal sealed class GpuKernel<TArguments>(Action<TArguments> body) : IGpuKernel
    where TArguments : struct
{
    private readonly Lock compiling = new();
    private Action<AcceleratorStream, KernelConfig, TArguments>?[] compiled = [];

    public MethodInfo Method => body.Method;

    /// <summary>Asks for <paramref name="groups"/> groups of <paramref name="groupSize"/> threads, after all that was asked for before.</summary>
    public void Launch(GpuDevice gpu, Index3D groups, Index3D groupSize, TArguments arguments)
    {
        if (groups.Size <= 0)
        {
            return;
        }

        lock (gpu.Gate)
        {
            try
            {
                Accelerator accelerator = gpu.Bound();
                Action<AcceleratorStream, KernelConfig, TArguments> kernel = For(gpu);
                kernel(accelerator.DefaultStream, new KernelConfig(groups, groupSize), arguments);
            }
            catch (AcceleratorException failure)
            {
                throw gpu.Lost($"run {Name}", failure);
            }
        }
    }

    /// <inheritdoc cref="Launch(GpuDevice, Index3D, Index3D, TArguments)"/>
    public void Launch(GpuDevice gpu, int groups, int groupSize, TArguments arguments) =>
        Launch(gpu, new Index3D(groups, 1, 1), new Index3D(groupSize, 1, 1), arguments);

    /// <summary>The method's name with its types.</summary>
    public string Name => GpuKernels.NameOf(Method);

    private Action<AcceleratorStream, KernelConfig, TArguments> For(GpuDevice gpu)
    {
        if (gpu.Number < compiled.Length && compiled[gpu.Number] is { } known)
        {
            return known;
        }

        lock (compiling)
        {
            if (gpu.Number >= compiled.Length)
            {
                Array.Resize(ref compiled, gpu.Number + 1);
            }

            try
            {
                return compiled[gpu.Number] ??= gpu.Load(body);
            }
            catch (Exception failure) when (failure is InternalCompilerException or AcceleratorException or NotSupportedException or CapabilityNotSupportedException)
            {
                throw new DeviceException(
                    $"The kernel {Name} does not compile for {gpu.Report.Name} ({gpu.Report.Driver}): {failure.Message} Update the driver, or say --device {DeviceKinds.Cpu}.", failure);
            }
        }
    }
}

/// <summary>Names of kernels.</summary>
internal static class GpuKernels
{
    /// <summary>"GemmFewRows.AddChains", "ElementwiseGpu.Map(GeluFormula)".</summary>
    public static string NameOf(MethodInfo method)
    {
        string name = $"{method.DeclaringType!.Name.Split('`')[0]}.{method.Name}";
        Type[] types = [.. method.DeclaringType.GetGenericArguments(), .. method.GetGenericArguments()];
        return types.Length == 0 ? name : $"{name}({string.Join(", ", types.Select(type => type.Name))})";
    }
}
