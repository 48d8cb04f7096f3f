using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>Which kernel serves which format at which SIMD level: the one place where the two lists meet.</summary>
internal static unsafe class WordDispatch
{
    /// <summary>See <see cref="WordKernels{L, B, V, C, S}.Multiply"/>.</summary>
    public static delegate*<WordWork*, void> Multiply(SimdLevel level, StoredNumbers numbers, bool exact) => level switch
    {
        SimdLevel.Vector512 => Multiply<Lanes512, WordLanes512, Vector512<float>>(numbers, exact),
        SimdLevel.Vector256 => Multiply<Lanes256, WordLanes256, Vector256<float>>(numbers, exact),
        SimdLevel.Vector128 => Multiply<Lanes128, WordLanes128, Vector128<float>>(numbers, exact),
        _ => Multiply<Lanes1, WordLanes1, float>(numbers, exact),
    };

    /// <summary>See <see cref="WordKernels{L, B, V, C, S}.Unpack"/>.</summary>
    public static delegate*<byte*, nint, int, nint, float*, void> Unpack(SimdLevel level, StoredNumbers numbers, bool exact) => level switch
    {
        SimdLevel.Vector512 => Unpack<Lanes512, WordLanes512, Vector512<float>>(numbers, exact),
        SimdLevel.Vector256 => Unpack<Lanes256, WordLanes256, Vector256<float>>(numbers, exact),
        SimdLevel.Vector128 => Unpack<Lanes128, WordLanes128, Vector128<float>>(numbers, exact),
        _ => Unpack<Lanes1, WordLanes1, float>(numbers, exact),
    };

    private static delegate*<WordWork*, void> Multiply<L, B, V>(StoredNumbers numbers, bool exact)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct => numbers switch
        {
            StoredNumbers.Float16 => &WordKernels<L, B, V, Float16Codes, NoScales>.Multiply,
            StoredNumbers.BFloat16 => &WordKernels<L, B, V, BFloat16Codes, NoScales>.Multiply,
            StoredNumbers.Q8_0 or StoredNumbers.Q5_0 => &WordKernels<L, B, V, MantissaByteCodes, MantissaByteScales>.Multiply,
            StoredNumbers.Q5_1 => &WordKernels<L, B, V, ByteCodes, HalfScales>.Multiply,
            StoredNumbers.Q6_K => &WordKernels<L, B, V, ByteCodes, SingleScale>.Multiply,
            StoredNumbers.Q4_0 => &WordKernels<L, B, V, MantissaNibbleCodes, CentredScales>.Multiply,
            StoredNumbers.Q4_1 when exact => &WordKernels<L, B, V, HighNibbleCodes, HalfScales>.Multiply,
            StoredNumbers.Q4_1 => &WordKernels<L, B, V, NibbleCodes, HalfScales>.Multiply,
            StoredNumbers.Q4_K => &WordKernels<L, B, V, NibbleCodes, SingleScales>.Multiply,
            _ => throw StoredNumbersSizes.Unknown(numbers),
        };

    private static delegate*<byte*, nint, int, nint, float*, void> Unpack<L, B, V>(StoredNumbers numbers, bool exact)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct => numbers switch
        {
            StoredNumbers.Float16 => &WordKernels<L, B, V, Float16Codes, NoScales>.Unpack,
            StoredNumbers.BFloat16 => &WordKernels<L, B, V, BFloat16Codes, NoScales>.Unpack,
            StoredNumbers.Q8_0 or StoredNumbers.Q5_0 => &WordKernels<L, B, V, MantissaByteCodes, MantissaByteScales>.Unpack,
            StoredNumbers.Q5_1 => &WordKernels<L, B, V, ByteCodes, HalfScales>.Unpack,
            StoredNumbers.Q6_K => &WordKernels<L, B, V, ByteCodes, SingleScale>.Unpack,
            StoredNumbers.Q4_0 => &WordKernels<L, B, V, MantissaNibbleCodes, CentredScales>.Unpack,
            StoredNumbers.Q4_1 when exact => &WordKernels<L, B, V, HighNibbleCodes, HalfScales>.Unpack,
            StoredNumbers.Q4_1 => &WordKernels<L, B, V, NibbleCodes, HalfScales>.Unpack,
            StoredNumbers.Q4_K => &WordKernels<L, B, V, NibbleCodes, SingleScales>.Unpack,
            _ => throw StoredNumbersSizes.Unknown(numbers),
        };

    /// <summary>See <see cref="WordKernels{L, B, V, C, S}.AddBack"/>.</summary>
    public static delegate*<WordWork*, void> AddBack(SimdLevel level, StoredNumbers numbers, bool exact) => level switch
    {
        SimdLevel.Vector512 => AddBack<Lanes512, WordLanes512, Vector512<float>>(numbers, exact),
        SimdLevel.Vector256 => AddBack<Lanes256, WordLanes256, Vector256<float>>(numbers, exact),
        SimdLevel.Vector128 => AddBack<Lanes128, WordLanes128, Vector128<float>>(numbers, exact),
        _ => AddBack<Lanes1, WordLanes1, float>(numbers, exact),
    };

    private static delegate*<WordWork*, void> AddBack<L, B, V>(StoredNumbers numbers, bool exact)
        where L : struct, ILanes<V>
        where B : struct, IWordLanes<V>
        where V : struct => numbers switch
        {
            StoredNumbers.Float16 => &WordKernels<L, B, V, Float16Codes, NoScales>.AddBack,
            StoredNumbers.BFloat16 => &WordKernels<L, B, V, BFloat16Codes, NoScales>.AddBack,
            StoredNumbers.Q8_0 or StoredNumbers.Q5_0 => &WordKernels<L, B, V, MantissaByteCodes, MantissaByteScales>.AddBack,
            StoredNumbers.Q5_1 => &WordKernels<L, B, V, ByteCodes, HalfScales>.AddBack,
            StoredNumbers.Q6_K => &WordKernels<L, B, V, ByteCodes, SingleScale>.AddBack,
            StoredNumbers.Q4_0 => &WordKernels<L, B, V, MantissaNibbleCodes, CentredScales>.AddBack,
            StoredNumbers.Q4_1 when exact => &WordKernels<L, B, V, HighNibbleCodes, HalfScales>.AddBack,
            StoredNumbers.Q4_1 => &WordKernels<L, B, V, NibbleCodes, HalfScales>.AddBack,
            StoredNumbers.Q4_K => &WordKernels<L, B, V, NibbleCodes, SingleScales>.AddBack,
            _ => throw StoredNumbersSizes.Unknown(numbers),
        };
}
