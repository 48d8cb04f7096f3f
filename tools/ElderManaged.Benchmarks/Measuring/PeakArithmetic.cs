using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Measuring;

/// <summary>
/// How many floating-point operations a core can do at most: chains of fused multiply-adds that never leave the registers, twelve at a
/// time, more than latency times units of any processor at hand.
/// </summary>
internal static class PeakArithmetic
{
    private const int Chains = 12, Rounds = 100_000;
    private static float s_sink;

    /// <summary>Operations of one <see cref="Run"/> on each thread.</summary>
    public static double Flops(SimdLevel level) => 2.0 * Chains * Rounds * Width(level);

    /// <summary>The work of one core at that width; on as many threads as the pool has.</summary>
    public static void Run(SimdLevel level) => CpuThreads.Run(CpuThreads.Count, level, static (level, _) => s_sink = level switch
    {
        SimdLevel.Vector512 => Wide512(),
        SimdLevel.Vector256 => Wide256(),
        SimdLevel.Vector128 => Wide128(),
        _ => Scalar(),
    });

    public static int Width(SimdLevel level) => level switch
    {
        SimdLevel.Vector512 => 16,
        SimdLevel.Vector256 => 8,
        SimdLevel.Vector128 => 4,
        _ => 1,
    };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Wide512()
    {
        Vector512<float> x = Vector512.Create(s_sink == 77 ? 0.5f : 0.999f), y = Vector512.Create(1e-3f);
        Vector512<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (int r = 0; r < Rounds; r++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y); b = Vector512.FusedMultiplyAdd(b, x, y); c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y); e = Vector512.FusedMultiplyAdd(e, x, y); f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y); h = Vector512.FusedMultiplyAdd(h, x, y); i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y); k = Vector512.FusedMultiplyAdd(k, x, y); l = Vector512.FusedMultiplyAdd(l, x, y);
        }

        return (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Wide256()
    {
        Vector256<float> x = Vector256.Create(s_sink == 77 ? 0.5f : 0.999f), y = Vector256.Create(1e-3f);
        Vector256<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (int r = 0; r < Rounds; r++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y); b = Vector256.FusedMultiplyAdd(b, x, y); c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y); e = Vector256.FusedMultiplyAdd(e, x, y); f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y); h = Vector256.FusedMultiplyAdd(h, x, y); i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y); k = Vector256.FusedMultiplyAdd(k, x, y); l = Vector256.FusedMultiplyAdd(l, x, y);
        }

        return (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Wide128()
    {
        Vector128<float> x = Vector128.Create(s_sink == 77 ? 0.5f : 0.999f), y = Vector128.Create(1e-3f);
        Vector128<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (int r = 0; r < Rounds; r++)
        {
            a = Vector128.FusedMultiplyAdd(a, x, y); b = Vector128.FusedMultiplyAdd(b, x, y); c = Vector128.FusedMultiplyAdd(c, x, y);
            d = Vector128.FusedMultiplyAdd(d, x, y); e = Vector128.FusedMultiplyAdd(e, x, y); f = Vector128.FusedMultiplyAdd(f, x, y);
            g = Vector128.FusedMultiplyAdd(g, x, y); h = Vector128.FusedMultiplyAdd(h, x, y); i = Vector128.FusedMultiplyAdd(i, x, y);
            j = Vector128.FusedMultiplyAdd(j, x, y); k = Vector128.FusedMultiplyAdd(k, x, y); l = Vector128.FusedMultiplyAdd(l, x, y);
        }

        return (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Scalar()
    {
        float x = s_sink == 77 ? 0.5f : 0.999f, y = 1e-3f;
        float a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (int r = 0; r < Rounds; r++)
        {
            a = MathF.FusedMultiplyAdd(a, x, y); b = MathF.FusedMultiplyAdd(b, x, y); c = MathF.FusedMultiplyAdd(c, x, y);
            d = MathF.FusedMultiplyAdd(d, x, y); e = MathF.FusedMultiplyAdd(e, x, y); f = MathF.FusedMultiplyAdd(f, x, y);
            g = MathF.FusedMultiplyAdd(g, x, y); h = MathF.FusedMultiplyAdd(h, x, y); i = MathF.FusedMultiplyAdd(i, x, y);
            j = MathF.FusedMultiplyAdd(j, x, y); k = MathF.FusedMultiplyAdd(k, x, y); l = MathF.FusedMultiplyAdd(l, x, y);
        }

        return a + b + c + d + e + f + g + h + i + j + k + l;
    }
}
