using System.Reflection;
using ElderManaged.Tensors;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Testing;

/// <summary>Compiles kernels to PTX for any NVIDIA architecture, which needs no device.</summary>
public static class PtxText
{
    /// <summary>The architectures every kernel must compile for.</summary>
    public static IReadOnlyList<CudaArchitecture> Architectures { get; } =
        [CudaArchitecture.SM_75, CudaArchitecture.SM_80, CudaArchitecture.SM_90, CudaArchitecture.SM_100];

    /// <summary>All kernels of the engine: every static field of that type; those of formulas once for each formula.</summary>
    public static IReadOnlyList<MethodInfo> AllKernels()
    {
        Type[] types = typeof(Op).Assembly.GetTypes();
        List<MethodInfo> methods = [];
        foreach (Type type in types)
        {
            foreach (Type closed in Closed(type, types))
            {
                methods.AddRange(closed.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
                    .Where(field => typeof(IGpuKernel).IsAssignableFrom(field.FieldType))
                    .Select(field => ((IGpuKernel)field.GetValue(null)!).Method));
            }
        }

        return methods;
    }

    /// <summary>The PTX of a kernel.</summary>
    public static string Of(MethodInfo kernel, CudaArchitecture architecture)
    {
        CudaInstructionSet set = architecture >= CudaArchitecture.SM_100 ? CudaInstructionSet.ISA_86 : CudaInstructionSet.ISA_80;
        using PTXBackend backend = new(TestDevices.Context, architecture, set, nvvmAPI: null!);
        return ((PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), default)).PTXAssembly;
    }

    // A generic class is closed with every structure that satisfies its constraints.
    private static IEnumerable<Type> Closed(Type type, Type[] all)
    {
        if (!type.ContainsGenericParameters)
        {
            return [type];
        }

        bool holdsKernels = type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
            .Any(field => typeof(IGpuKernel).IsAssignableFrom(field.FieldType));
        if (!holdsKernels || type.GetGenericArguments() is not [Type parameter])
        {
            return [];
        }

        Type[] needed = parameter.GetGenericParameterConstraints();
        return all
            .Where(candidate => candidate.IsValueType && !candidate.ContainsGenericParameters && needed.All(constraint => constraint.IsAssignableFrom(candidate)))
            .Select(candidate => type.MakeGenericType(candidate));
    }
}
