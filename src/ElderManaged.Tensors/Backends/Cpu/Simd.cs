using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// The vector width in use. It is chosen once from the hardware; the environment variable <c>ELDER_SIMD</c>
/// (<c>avx512</c>, <c>avx2</c>, <c>vector128</c> or <c>scalar</c>) can lower it.
/// </summary>
public static class Simd
{
    /// <summary>The widest level this machine offers.</summary>
    public static SimdLevel Best { get; } =
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? SimdLevel.Vector512
        : Vector256.IsHardwareAccelerated && Fma.IsSupported ? SimdLevel.Vector256
        : Vector128.IsHardwareAccelerated ? SimdLevel.Vector128
        : SimdLevel.Scalar;

    // Below Best, which it reads: static fields are set in the order of the text.
    private static readonly SimdLevel Chosen = Choose(Environment.GetEnvironmentVariable("ELDER_SIMD"));

    // Zero means: not forced; otherwise the level plus one. Per thread, so that tests forcing different levels may run side by side.
    [ThreadStatic]
    private static int t_forcedPlusOne;

    /// <summary>The level that a kernel called from this thread uses.</summary>
    public static SimdLevel Level => t_forcedPlusOne == 0 ? Chosen : (SimdLevel)(t_forcedPlusOne - 1);

    /// <summary>Forces a level for the calling thread until the returned scope is disposed. For tests.</summary>
    internal static ForcedLevel Force(SimdLevel level) => new(level);

    /// <summary>Reads a level name as written in <c>ELDER_SIMD</c>; an unknown or too wide one gives the widest offered.</summary>
    internal static SimdLevel Choose(string? name)
    {
        SimdLevel wanted = name?.Trim().ToUpperInvariant() switch
        {
            "AVX2" => SimdLevel.Vector256,
            "VECTOR128" => SimdLevel.Vector128,
            "SCALAR" => SimdLevel.Scalar,
            _ => SimdLevel.Vector512,
        };
        return wanted < Best ? wanted : Best;
    }

    /// <summary>Ends a forced level when disposed.</summary>
    internal readonly struct ForcedLevel : IDisposable
    {
        private readonly int _before;

        public ForcedLevel(SimdLevel level)
        {
            if (level > Best)
            {
                throw new PlatformNotSupportedException($"Simd: level {level} is wider than this machine's {Best}.");
            }

            _before = t_forcedPlusOne;
            t_forcedPlusOne = (int)level + 1;
        }

        public void Dispose() => t_forcedPlusOne = _before;
    }
}
