using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Tensors;

/// <summary>
/// The instruction of NVIDIA's tensor cores: the 32 threads of a warp together add the product of two small matrices of 16-bit
/// numbers to a matrix of float32, D (16, 8) = A (16, 16)·B (16, 8) + C (16, 8). Only for CUDA, from SM_80 on.
/// </summary>
/// <remarks>
/// The matrices lie in the registers of the warp. Thread l has row (or column) g = l / 4 and pair t = l % 4; a register holds two
/// neighbours along k, the first in its lower half ("mma.sync.m16n8k16" of the PTX ISA):
/// <code>
///   A        k 2t,2t+1   8+2t,9+2t      B  column g          C, D      column 2t   2t+1
///   row g     │  X   │    │  Z  │        k 2t,2t+1  │ X │    row g      │  X  │   │ Y │
///   row g + 8 │  Y   │    │  W  │      8+2t,9+2t    │ Y │    row g + 8  │  Z  │   │ W │
/// </code>
/// All threads of a warp must come to it together. How the sums are rounded on the way is the hardware's affair.
/// </remarks>
internal static class TensorCore
{
    /// <summary>Threads that work together.</summary>
    public const int Warp = 32;

    /// <summary>Rows, columns and k of one instruction.</summary>
    public const int Rows = 16, Columns = 8, Depth = 16;

    /// <summary>The first architecture that has it for both formats.</summary>
    public static CudaArchitecture Least => CudaArchitecture.SM_80;

    /// <summary>a·b + c of float16.</summary>
    [IntrinsicImplementation]
    public static SumFragment MultiplyAddHalves(LeftFragment a, RightFragment b, SumFragment c) => throw OnlyInPtx();

    /// <summary>a·b + c of bfloat16.</summary>
    [IntrinsicImplementation]
    public static SumFragment MultiplyAddBFloats(LeftFragment a, RightFragment b, SumFragment c) => throw OnlyInPtx();

    /// <summary>Two numbers as float16, rounded to nearest, in one register.</summary>
    [IntrinsicImplementation]
    public static uint TwoHalves(float lower, float upper) => throw OnlyInPtx();

    /// <summary>Two numbers as bfloat16, rounded to nearest, in one register.</summary>
    [IntrinsicImplementation]
    public static uint TwoBFloats(float lower, float upper) => throw OnlyInPtx();

    /// <summary>Tells a context of these methods.</summary>
    public static void Register(Context.Builder builder)
    {
        IntrinsicImplementationManager manager = builder.GetIntrinsicManager();
        Add(((Func<LeftFragment, RightFragment, SumFragment, SumFragment>)MultiplyAddHalves).Method, HalvesInPtx);
        Add(((Func<LeftFragment, RightFragment, SumFragment, SumFragment>)MultiplyAddBFloats).Method, BFloatsInPtx);
        Add(((Func<float, float, uint>)TwoHalves).Method, TwoHalvesInPtx);
        Add(((Func<float, float, uint>)TwoBFloats).Method, TwoBFloatsInPtx);

        void Add(MethodInfo method, Action<PTXBackend, PTXCodeGenerator, Value> write) =>
            manager.RegisterMethod(method, new PTXIntrinsic(write.Method, IntrinsicImplementationMode.GenerateCode));
    }

    private static void HalvesInPtx(PTXBackend backend, PTXCodeGenerator generator, Value value) =>
        WriteMultiplyAdd(generator, value, "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32");

    private static void BFloatsInPtx(PTXBackend backend, PTXCodeGenerator generator, Value value) =>
        WriteMultiplyAdd(generator, value, "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32");

    private static void TwoHalvesInPtx(PTXBackend backend, PTXCodeGenerator generator, Value value) => WritePair(generator, value, "cvt.rn.f16x2.f32");

    private static void TwoBFloatsInPtx(PTXBackend backend, PTXCodeGenerator generator, Value value) => WritePair(generator, value, "cvt.rn.bf16x2.f32");

    // Structures are as many registers as they have fields; the instruction takes them in braces.
    private static void WriteMultiplyAdd(PTXCodeGenerator generator, Value value, string instruction)
    {
        var a = Registers(generator, generator.Load(value[0]));
        var b = Registers(generator, generator.Load(value[1]));
        var c = Registers(generator, generator.Load(value[2]));
        var sum = Registers(generator, generator.Allocate(value));
        using var command = generator.BeginCommand(instruction);
        command.AppendVectorArgument(sum);
        command.AppendVectorArgument(a);
        command.AppendVectorArgument(b);
        command.AppendVectorArgument(c);
    }

    // The upper half comes first.
    private static void WritePair(PTXCodeGenerator generator, Value value, string instruction)
    {
        var lower = generator.LoadPrimitive(value[0]);
        var upper = generator.LoadPrimitive(value[1]);
        var result = generator.AllocateHardware(value);
        using var command = generator.BeginCommand(instruction);
        command.AppendArgument(result);
        command.AppendArgument(upper);
        command.AppendArgument(lower);
    }

    private static RegisterAllocator<PTXRegisterKind>.PrimitiveRegister[] Registers(
        PTXCodeGenerator generator, RegisterAllocator<PTXRegisterKind>.Register structure) =>
        [
            .. ((RegisterAllocator<PTXRegisterKind>.CompoundRegister)structure).Children
                .Select(field => generator.EnsureHardwareRegister((RegisterAllocator<PTXRegisterKind>.PrimitiveRegister)field)),
        ];

    private static NotSupportedException OnlyInPtx() => new("Only a CUDA device has this instruction.");
}

/// <summary>On a kernel that uses <see cref="TensorCore"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class TensorCoreKernelAttribute : Attribute;

/// <summary>A thread's part of A, see <see cref="TensorCore"/>: eight 16-bit numbers.</summary>
internal struct LeftFragment
{
    public uint X, Y, Z, W;
}

/// <summary>A thread's part of B: four 16-bit numbers.</summary>
internal struct RightFragment
{
    public uint X, Y;
}

/// <summary>A thread's part of C and D.</summary>
internal struct SumFragment
{
    public float X, Y, Z, W;
}

/// <summary>A 16-bit format that tensor cores multiply.</summary>
internal interface ITensorNumbers
{
    /// <summary>a·b + c.</summary>
    static abstract SumFragment MultiplyAdd(LeftFragment a, RightFragment b, SumFragment c);

    /// <summary>Two numbers in one register.</summary>
    static abstract uint Two(float lower, float upper);
}

/// <summary>float16.</summary>
internal readonly struct HalfNumbers : ITensorNumbers
{
    public static SumFragment MultiplyAdd(LeftFragment a, RightFragment b, SumFragment c) => TensorCore.MultiplyAddHalves(a, b, c);

    public static uint Two(float lower, float upper) => TensorCore.TwoHalves(lower, upper);
}

/// <summary>bfloat16.</summary>
internal readonly struct BFloatNumbers : ITensorNumbers
{
    public static SumFragment MultiplyAdd(LeftFragment a, RightFragment b, SumFragment c) => TensorCore.MultiplyAddBFloats(a, b, c);

    public static uint Two(float lower, float upper) => TensorCore.TwoBFloats(lower, upper);
}
