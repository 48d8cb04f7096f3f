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
        manager.RegisterMethod(fma, new PTXIntrinsic(((Func<float, float, float, float>)FmaOfPtx).Method, IntrinsicImplementationMode.Redirect));
        manager.RegisterMethod(fma, new CLIntrinsic(((Func<float, float, float, float>)FmaOfOpenCL).Method, IntrinsicImplementationMode.Redirect));
    }

    private static float FmaOfPtx(float a, float b, float c)
    {
        CudaAsm.Emit("fma.rn.f32 %0, %1, %2, %3;", out float result, a, b, c);
        return result;
    }

    private static float FmaOfOpenCL(float a, float b, float c) => (a * b) + c;
}
