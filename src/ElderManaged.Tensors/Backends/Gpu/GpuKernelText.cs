using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace ElderManaged.Tensors;

/// <summary>Finds the kernels of the engine and compiles them to text, which needs neither a GPU nor a driver. For tools and tests.</summary>
[RequiresUnreferencedCode("Looks for kernels in all types of the assembly.")]
[RequiresDynamicCode("Closes generic kernels with their formulas.")]
internal static class GpuKernelText
{
    private const BindingFlags StaticFields = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>The architectures every kernel must compile for.</summary>
    public static IReadOnlyList<CudaArchitecture> Architectures { get; } =
        [CudaArchitecture.SM_75, CudaArchitecture.SM_80, CudaArchitecture.SM_90, CudaArchitecture.SM_100];

    /// <summary>All kernels: every static field of that type; those of formulas once for each formula. In the order of their names.</summary>
    public static IReadOnlyList<MethodInfo> AllKernels()
    {
        Type[] types = typeof(Op).Assembly.GetTypes();
        return
        [
            .. types.SelectMany(type => Closed(type, types))
                .SelectMany(type => type.GetFields(StaticFields))
                .Where(IsKernel)
                .Select(field => ((IGpuKernel)field.GetValue(null)!).Method)
                .Distinct()
                .OrderBy(GpuKernels.NameOf, StringComparer.Ordinal),
        ];
    }

    /// <summary>Whether a kernel can be compiled for an architecture; null stands for OpenCL.</summary>
    public static bool Supports(MethodInfo kernel, CudaArchitecture? architecture) =>
        !kernel.IsDefined(typeof(TensorCoreKernelAttribute)) || architecture >= TensorCore.Least;

    /// <summary>The PTX of a kernel.</summary>
    public static string Ptx(Context context, MethodInfo kernel, CudaArchitecture architecture)
    {
        CudaInstructionSet set = architecture >= CudaArchitecture.SM_100 ? CudaInstructionSet.ISA_86 : CudaInstructionSet.ISA_80;
        using PTXBackend backend = new(context, architecture, set, nvvmAPI: null!);
        return ((PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), default)).PTXAssembly;
    }

    /// <summary>The OpenCL C of a kernel, as a driver of OpenCL 2.0 with all that ILGPU can use is given it.</summary>
    public static string OpenCL(Context context, MethodInfo kernel)
    {
        CLCapabilityContext everything = new(true, true, true, true, true);
        using CLBackend backend = new(context, everything, CLDeviceVendor.Other, CLCVersion.CL20);
        return ((CLCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), default)).Source;
    }

    private static bool IsKernel(FieldInfo field) => typeof(IGpuKernel).IsAssignableFrom(field.FieldType);

    // A generic class is closed with every structure that satisfies its constraints.
    private static IEnumerable<Type> Closed(Type type, Type[] all)
    {
        if (!type.ContainsGenericParameters)
        {
            return [type];
        }

        if (!type.GetFields(StaticFields).Any(IsKernel) || type.GetGenericArguments() is not [Type parameter])
        {
            return [];
        }

        Type[] needed = parameter.GetGenericParameterConstraints();
        return all
            .Where(candidate => candidate.IsValueType && !candidate.ContainsGenericParameters && needed.All(constraint => constraint.IsAssignableFrom(candidate)))
            .Select(candidate => type.MakeGenericType(candidate));
    }
}
