using System.Runtime.CompilerServices;
using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>One lane on a GPU: the elementwise formulas, written once for every device, as a thread of a kernel computes them.</summary>
internal readonly unsafe struct GpuLanes : ILanes<float>
{
    public static int Width => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(float* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* target, float value) => *target = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Broadcast(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Fma(float a, float b, float c) => GpuMath.Fma(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float a, float b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Subtract(float a, float b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float a, float b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float CopySign(float value, float sign) =>
        Interop.IntAsFloat((Interop.FloatAsInt(value) & 0x7fffffffu) | (Interop.FloatAsInt(sign) & 0x80000000u));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float IfLess(float a, float b, float then, float otherwise) => a < b ? then : otherwise;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float a, float b) => b < a ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Min(float a, float b) => a < b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(float a, float n)
    {
        int whole = (int)n;
        int half = whole >> 1;
        float first = Interop.IntAsFloat((uint)((half + Lanes1.ExponentBias) << Lanes1.MantissaBits));
        float second = Interop.IntAsFloat((uint)((whole - half + Lanes1.ExponentBias) << Lanes1.MantissaBits));
        return a * first * second;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float PowerInBits(float number) => Interop.IntAsFloat((uint)((int)Interop.FloatAsInt(number) << Lanes1.MantissaBits));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float RoughMinusOneOver(float a) => Interop.IntAsFloat((uint)(Lanes1.RoughOneOver - (int)Interop.FloatAsInt(a)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WithoutSmallest(float a) => (Interop.FloatAsInt(a) & Lanes1.LargeExponents) == 0 ? 0 : a;

    /// <summary>Not there: a table is slower than an exponential on a GPU, so no kernel asks for it.</summary>
    public static float Pick(float* sixteen, float number) => throw new NotSupportedException();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Split(float x, out float exponent)
    {
        int bits = (int)Interop.FloatAsInt(x) + (Lanes1.OneBits - Lanes1.RootHalfBits);
        exponent = (bits >> Lanes1.MantissaBits) - Lanes1.ExponentBias;
        return Interop.IntAsFloat((uint)((bits & Lanes1.MantissaMask) + Lanes1.RootHalfBits));
    }
}
