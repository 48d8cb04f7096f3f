using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>What the kernels of stored weights need of a vector register beside its floats: the 32-bit words behind them.</summary>
/// <typeparam name="TVector">The register, as in <see cref="ILanes{TVector}"/>.</typeparam>
internal unsafe interface IWordLanes<TVector>
    where TVector : struct
{
    /// <summary>Words at any byte address.</summary>
    static abstract TVector Load(byte* source);

    static abstract TVector ShiftLeft(TVector words, int count);

    /// <summary>Zeros come in from the left.</summary>
    static abstract TVector ShiftRight(TVector words, int count);

    static abstract TVector And(TVector words, uint mask);

    /// <summary>(words and mask) or bits.</summary>
    static abstract TVector AndOr(TVector words, uint mask, uint bits);

    static abstract TVector Add(TVector words, uint number);

    /// <summary>The sign bit of <paramref name="sign"/>, all others of <paramref name="value"/>.</summary>
    static abstract TVector WithSign(TVector value, TVector sign);

    /// <summary>The smaller float; for numbers, not for NaN.</summary>
    static abstract TVector Min(TVector a, TVector b);

    /// <summary>The lowest four bits of each word as floats 0 … 15.</summary>
    static abstract TVector LowNibbles(TVector words);
}

internal readonly unsafe struct WordLanes512 : IWordLanes<Vector512<float>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* source) => Vector512.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftLeft(Vector512<float> words, int count) => Vector512.ShiftLeft(words.AsUInt32(), count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftRight(Vector512<float> words, int count) => Vector512.ShiftRightLogical(words.AsUInt32(), count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> And(Vector512<float> words, uint mask) => (words.AsUInt32() & Vector512.Create(mask)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AndOr(Vector512<float> words, uint mask, uint bits) =>
        Avx512F.TernaryLogic(words.AsUInt32(), Vector512.Create(mask), Vector512.Create(bits), 0xEA).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> words, uint number) => (words.AsUInt32() + Vector512.Create(number)).AsSingle();

    // Truth table of (sign & mask) | (value & ~mask) for the inputs value, sign, mask.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> WithSign(Vector512<float> value, Vector512<float> sign) =>
        Avx512F.TernaryLogic(value.AsUInt32(), sign.AsUInt32(), Vector512.Create(0x8000_0000u), 0xD8).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Vector512.MinNative(a, b);

    // A table of sixteen floats, whose look-up reads four bits of each word and ignores the others.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LowNibbles(Vector512<float> words) =>
        Avx512F.PermuteVar16x32(Vector512.Create(0f, 1f, 2f, 3f, 4f, 5f, 6f, 7f, 8f, 9f, 10f, 11f, 12f, 13f, 14f, 15f), words.AsInt32());
}

internal readonly unsafe struct WordLanes256 : IWordLanes<Vector256<float>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* source) => Vector256.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftLeft(Vector256<float> words, int count) => Vector256.ShiftLeft(words.AsUInt32(), count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftRight(Vector256<float> words, int count) => Vector256.ShiftRightLogical(words.AsUInt32(), count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> And(Vector256<float> words, uint mask) => (words.AsUInt32() & Vector256.Create(mask)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AndOr(Vector256<float> words, uint mask, uint bits) => ((words.AsUInt32() & Vector256.Create(mask)) | Vector256.Create(bits)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> words, uint number) => (words.AsUInt32() + Vector256.Create(number)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> WithSign(Vector256<float> value, Vector256<float> sign) => value | (sign & Vector256.Create(-0f));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Vector256.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LowNibbles(Vector256<float> words) => Vector256.ConvertToSingle(words.AsInt32() & Vector256.Create(15));
}

internal readonly unsafe struct WordLanes128 : IWordLanes<Vector128<float>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(byte* source) => Vector128.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftLeft(Vector128<float> words, int count) => Vector128.ShiftLeft(words.AsUInt32(), count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftRight(Vector128<float> words, int count) => Vector128.ShiftRightLogical(words.AsUInt32(), count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> And(Vector128<float> words, uint mask) => (words.AsUInt32() & Vector128.Create(mask)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> AndOr(Vector128<float> words, uint mask, uint bits) => ((words.AsUInt32() & Vector128.Create(mask)) | Vector128.Create(bits)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> words, uint number) => (words.AsUInt32() + Vector128.Create(number)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> WithSign(Vector128<float> value, Vector128<float> sign) => value | (sign & Vector128.Create(-0f));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Vector128.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LowNibbles(Vector128<float> words) => Vector128.ConvertToSingle(words.AsInt32() & Vector128.Create(15));
}

internal readonly unsafe struct WordLanes1 : IWordLanes<float>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source) => Unsafe.ReadUnaligned<float>(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ShiftLeft(float words, int count) => Float(Bits(words) << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ShiftRight(float words, int count) => Float(Bits(words) >> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float And(float words, uint mask) => Float(Bits(words) & mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float AndOr(float words, uint mask, uint bits) => Float((Bits(words) & mask) | bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float words, uint number) => Float(Bits(words) + number);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WithSign(float value, float sign) => MathF.CopySign(value, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Min(float a, float b) => a < b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LowNibbles(float words) => Bits(words) & 15;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Bits(float words) => BitConverter.SingleToUInt32Bits(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Float(uint bits) => BitConverter.UInt32BitsToSingle(bits);
}
