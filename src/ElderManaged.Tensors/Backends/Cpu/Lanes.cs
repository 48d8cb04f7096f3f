using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// What a kernel needs to know of a vector register of floats. Everything rounds as IEEE 754 says, hence alike at every width. A kernel is written once, generic over this,
/// and the JIT makes one machine-code version for each width.
/// </summary>
/// <typeparam name="TVector">The register: <see cref="Vector512{T}"/>, <see cref="Vector256{T}"/>, <see cref="Vector128{T}"/> or a single float.</typeparam>
internal unsafe interface ILanes<TVector>
    where TVector : struct
{
    static abstract int Width { get; }

    static abstract TVector Load(float* source);

    static abstract void Store(float* target, TVector value);

    static abstract TVector Broadcast(float value);

    /// <summary>a·b + c with one rounding: the only arithmetic of the matrix kernels, equal bits at every width.</summary>
    static abstract TVector Fma(TVector a, TVector b, TVector c);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>The size of <paramref name="value"/> with the sign of <paramref name="sign"/>.</summary>
    static abstract TVector CopySign(TVector value, TVector sign);

    /// <summary><paramref name="then"/> where a &lt; b, else <paramref name="otherwise"/>, as where a or b is not a number.</summary>
    static abstract TVector IfLess(TVector a, TVector b, TVector then, TVector otherwise);

    /// <summary>The larger one: a where b &lt; a, else b, as where a or b is not a number.</summary>
    static abstract TVector Max(TVector a, TVector b);

    /// <summary>The smaller one: a where a &lt; b, else b, as where a or b is not a number.</summary>
    static abstract TVector Min(TVector a, TVector b);

    /// <summary>a·2ⁿ for a whole n from -252 to 254, in two steps, so that results below the normal range round once.</summary>
    static abstract TVector Scale(TVector a, TVector n);

    /// <summary>2^(k - 127), where k from 0 to 254 stands in the lowest nine bits of <paramref name="number"/>; 0 for k = 0.</summary>
    static abstract TVector PowerInBits(TVector number);

    /// <summary>Within 5.06 % of -1/a for a from -2¹²⁵ to -1: the bits of a, its exponent at the top, subtracted from a constant.</summary>
    static abstract TVector RoughMinusOneOver(TVector a);

    /// <summary>a, but 0 where it is below 2⁻¹¹⁹ in size: then what is computed from it is not subnormal at once, which processors are slow with.</summary>
    static abstract TVector WithoutSmallest(TVector a);

    /// <summary>Of sixteen numbers the one whose index stands in the lowest four bits of <paramref name="number"/>.</summary>
    static abstract TVector Pick(float* sixteen, TVector number);

    /// <summary>For a positive normal x = m·2ᵉ: m from √½ to √2, and e.</summary>
    static abstract TVector Split(TVector x, out TVector exponent);
}

/// <summary>Sixteen lanes.</summary>
internal readonly unsafe struct Lanes512 : ILanes<Vector512<float>>
{
    public static int Width => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* target, Vector512<float> value) => value.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> CopySign(Vector512<float> value, Vector512<float> sign) => Vector512.CopySign(value, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> IfLess(Vector512<float> a, Vector512<float> b, Vector512<float> then, Vector512<float> otherwise) => Vector512.ConditionalSelect(Vector512.LessThan(a, b), then, otherwise);

    // One instruction where the machine has it; it is defined as this comparison.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Avx512F.IsSupported ? Avx512F.Max(a, b) : IfLess(b, a, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Avx512F.IsSupported ? Avx512F.Min(a, b) : IfLess(a, b, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(Vector512<float> a, Vector512<float> n)
    {
        if (Avx512F.IsSupported)
        {
            return Avx512F.Scale(a, n);
        }

        Vector512<int> whole = Vector512.ConvertToInt32Native(n);
        Vector512<int> half = Vector512.ShiftRightArithmetic(whole, 1);
        Vector512<int> bias = Vector512.Create(Lanes1.ExponentBias);
        Vector512<float> first = Vector512.ShiftLeft(half + bias, Lanes1.MantissaBits).AsSingle();
        Vector512<float> second = Vector512.ShiftLeft(whole - half + bias, Lanes1.MantissaBits).AsSingle();
        return a * first * second;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> PowerInBits(Vector512<float> number) => Vector512.ShiftLeft(number.AsInt32(), Lanes1.MantissaBits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RoughMinusOneOver(Vector512<float> a) => (Vector512.Create(Lanes1.RoughOneOver) - a.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> WithoutSmallest(Vector512<float> a) =>
        Vector512.ConditionalSelect(Vector512.Equals(a.AsInt32() & Vector512.Create(Lanes1.LargeExponents), Vector512<int>.Zero).AsSingle(), Vector512<float>.Zero, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Pick(float* sixteen, Vector512<float> number) => Avx512F.IsSupported
        ? Avx512F.PermuteVar16x32(Vector512.Load(sixteen), number.AsInt32())
        : Vector512.Create(Lanes256.Pick(sixteen, number.GetLower()), Lanes256.Pick(sixteen, number.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Split(Vector512<float> x, out Vector512<float> exponent)
    {
        Vector512<int> bits = x.AsInt32() + Vector512.Create(Lanes1.OneBits - Lanes1.RootHalfBits);
        exponent = Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(bits, Lanes1.MantissaBits) - Vector512.Create(Lanes1.ExponentBias));
        return ((bits & Vector512.Create(Lanes1.MantissaMask)) + Vector512.Create(Lanes1.RootHalfBits)).AsSingle();
    }
}

/// <summary>Eight lanes.</summary>
internal readonly unsafe struct Lanes256 : ILanes<Vector256<float>>
{
    public static int Width => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* target, Vector256<float> value) => value.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Fma(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> CopySign(Vector256<float> value, Vector256<float> sign) => Vector256.CopySign(value, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> IfLess(Vector256<float> a, Vector256<float> b, Vector256<float> then, Vector256<float> otherwise) => Vector256.ConditionalSelect(Vector256.LessThan(a, b), then, otherwise);

    // One instruction where the machine has it; it is defined as this comparison.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Avx.IsSupported ? Avx.Max(a, b) : IfLess(b, a, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Avx.IsSupported ? Avx.Min(a, b) : IfLess(a, b, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(Vector256<float> a, Vector256<float> n)
    {
        Vector256<int> whole = Vector256.ConvertToInt32Native(n);
        Vector256<int> half = Vector256.ShiftRightArithmetic(whole, 1);
        Vector256<int> bias = Vector256.Create(Lanes1.ExponentBias);
        Vector256<float> first = Vector256.ShiftLeft(half + bias, Lanes1.MantissaBits).AsSingle();
        Vector256<float> second = Vector256.ShiftLeft(whole - half + bias, Lanes1.MantissaBits).AsSingle();
        return a * first * second;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> PowerInBits(Vector256<float> number) => Vector256.ShiftLeft(number.AsInt32(), Lanes1.MantissaBits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RoughMinusOneOver(Vector256<float> a) => (Vector256.Create(Lanes1.RoughOneOver) - a.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> WithoutSmallest(Vector256<float> a) =>
        Vector256.ConditionalSelect(Vector256.Equals(a.AsInt32() & Vector256.Create(Lanes1.LargeExponents), Vector256<int>.Zero).AsSingle(), Vector256<float>.Zero, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Pick(float* sixteen, Vector256<float> number)
    {
        if (!Avx2.IsSupported)
        {
            return Vector256.Create(Lanes128.Pick(sixteen, number.GetLower()), Lanes128.Pick(sixteen, number.GetUpper()));
        }

        // One of the lower eight and one of the upper eight; then the fourth bit, moved to where a sign is, decides.
        Vector256<int> index = number.AsInt32();
        Vector256<float> lower = Avx2.PermuteVar8x32(Vector256.Load(sixteen), index), upper = Avx2.PermuteVar8x32(Vector256.Load(sixteen + 8), index);
        return Avx.BlendVariable(lower, upper, Vector256.ShiftLeft(index, 28).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Split(Vector256<float> x, out Vector256<float> exponent)
    {
        Vector256<int> bits = x.AsInt32() + Vector256.Create(Lanes1.OneBits - Lanes1.RootHalfBits);
        exponent = Vector256.ConvertToSingle(Vector256.ShiftRightArithmetic(bits, Lanes1.MantissaBits) - Vector256.Create(Lanes1.ExponentBias));
        return ((bits & Vector256.Create(Lanes1.MantissaMask)) + Vector256.Create(Lanes1.RootHalfBits)).AsSingle();
    }
}

/// <summary>Four lanes.</summary>
internal readonly unsafe struct Lanes128 : ILanes<Vector128<float>>
{
    public static int Width => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* target, Vector128<float> value) => value.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fma(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> CopySign(Vector128<float> value, Vector128<float> sign) => Vector128.CopySign(value, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> IfLess(Vector128<float> a, Vector128<float> b, Vector128<float> then, Vector128<float> otherwise) => Vector128.ConditionalSelect(Vector128.LessThan(a, b), then, otherwise);

    // One instruction where the machine has it; it is defined as this comparison.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Sse.IsSupported ? Sse.Max(a, b) : IfLess(b, a, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Sse.IsSupported ? Sse.Min(a, b) : IfLess(a, b, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Scale(Vector128<float> a, Vector128<float> n)
    {
        Vector128<int> whole = Vector128.ConvertToInt32Native(n);
        Vector128<int> half = Vector128.ShiftRightArithmetic(whole, 1);
        Vector128<int> bias = Vector128.Create(Lanes1.ExponentBias);
        Vector128<float> first = Vector128.ShiftLeft(half + bias, Lanes1.MantissaBits).AsSingle();
        Vector128<float> second = Vector128.ShiftLeft(whole - half + bias, Lanes1.MantissaBits).AsSingle();
        return a * first * second;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> PowerInBits(Vector128<float> number) => Vector128.ShiftLeft(number.AsInt32(), Lanes1.MantissaBits).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RoughMinusOneOver(Vector128<float> a) => (Vector128.Create(Lanes1.RoughOneOver) - a.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> WithoutSmallest(Vector128<float> a) =>
        Vector128.ConditionalSelect(Vector128.Equals(a.AsInt32() & Vector128.Create(Lanes1.LargeExponents), Vector128<int>.Zero).AsSingle(), Vector128<float>.Zero, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Pick(float* sixteen, Vector128<float> number)
    {
        Vector128<int> index = number.AsInt32() & Vector128.Create(15);
        return Vector128.Create(sixteen[index[0]], sixteen[index[1]], sixteen[index[2]], sixteen[index[3]]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Split(Vector128<float> x, out Vector128<float> exponent)
    {
        Vector128<int> bits = x.AsInt32() + Vector128.Create(Lanes1.OneBits - Lanes1.RootHalfBits);
        exponent = Vector128.ConvertToSingle(Vector128.ShiftRightArithmetic(bits, Lanes1.MantissaBits) - Vector128.Create(Lanes1.ExponentBias));
        return ((bits & Vector128.Create(Lanes1.MantissaMask)) + Vector128.Create(Lanes1.RootHalfBits)).AsSingle();
    }
}

/// <summary>One lane: plain scalar code with the same fused multiply-add.</summary>
internal readonly unsafe struct Lanes1 : ILanes<float>
{
    public const int MantissaBits = 23;
    public const int MantissaMask = (1 << MantissaBits) - 1;
    public const int ExponentBias = 127;
    public const int LargeExponents = 0x7c000000; // none of these bits is set in numbers below 2⁻¹¹⁹
    public const int OneBits = 0x3f800000;      // 1f
    public const int RootHalfBits = 0x3f3504f3; // √½

    // Minus the bits of a positive number, this has its exponent negated and a mantissa that falls as the number's rises: about 1/a.
    // The sign is that of a negative one.
    public const int RoughOneOver = unchecked((int)(0x7ef31000 + 0x80000000));

    public static int Width => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(float* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* target, float value) => *target = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Broadcast(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float a, float b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Subtract(float a, float b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float a, float b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float CopySign(float value, float sign) => MathF.CopySign(value, sign);

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
        float first = BitConverter.Int32BitsToSingle((half + ExponentBias) << MantissaBits);
        float second = BitConverter.Int32BitsToSingle((whole - half + ExponentBias) << MantissaBits);
        return a * first * second;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float PowerInBits(float number) => BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(number) << MantissaBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float RoughMinusOneOver(float a) => BitConverter.Int32BitsToSingle(unchecked(RoughOneOver - BitConverter.SingleToInt32Bits(a)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WithoutSmallest(float a) => (BitConverter.SingleToInt32Bits(a) & LargeExponents) == 0 ? 0 : a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Pick(float* sixteen, float number) => sixteen[BitConverter.SingleToInt32Bits(number) & 15];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Split(float x, out float exponent)
    {
        int bits = BitConverter.SingleToInt32Bits(x) + (OneBits - RootHalfBits);
        exponent = (bits >> MantissaBits) - ExponentBias;
        return BitConverter.Int32BitsToSingle((bits & MantissaMask) + RootHalfBits);
    }
}
