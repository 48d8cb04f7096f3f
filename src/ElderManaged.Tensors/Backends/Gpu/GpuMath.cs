using System.Reflection;
using ILGPU;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Tensors;

/// <summary>Arithmetic of kernels that ILGPU has no name for: each backend puts its own in the place of the method.</summary>
internal static class GpuMath
{
    /// <summary>a·b + c: one instruction for PTX and for ILGPU's simulator; OpenCL's compilers fuse it where the device has it.</summary>
    [IntrinsicImplementation]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <summary>Tells a context of these methods.</summary>
    public static void Register(Context.Builder builder)
    {
        IntrinsicImplementationManager manager = builder.GetIntrinsicManager();
        MethodInfo fma = ((Func<float, float, float, float>)Fma).Method;
        manager.RegisterMethod(fma, new PTXIntrinsic(((Action<PTXBackend, PTXCodeGenerator, Value>)FmaOfPtx).Method, IntrinsicImplementationMode.GenerateCode));
        manager.RegisterMethod(fma, new CLIntrinsic(((Func<float, float, float, float>)FmaOfOpenCL).Method, IntrinsicImplementationMode.Redirect));
    }

    // Written down as an instruction on registers; inline assembly would take its result by way of local memory.
    private static void FmaOfPtx(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        var a = generator.LoadPrimitive(value[0]);
        var b = generator.LoadPrimitive(value[1]);
        var c = generator.LoadPrimitive(value[2]);
        var result = generator.AllocateHardware(value);
        using var command = generator.BeginCommand("fma.rn.f32");
        command.AppendArgument(result);
        command.AppendArgument(a);
        command.AppendArgument(b);
        command.AppendArgument(c);
    }

    private static float FmaOfOpenCL(float a, float b, float c) => (a * b) + c;
}
