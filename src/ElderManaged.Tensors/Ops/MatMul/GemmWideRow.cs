using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>The kernel for single rows of a B that lies plain in memory.</summary>
internal static unsafe class GemmWideRow
{
    /// <summary>Four panels.</summary>
    public const int WideColumns = 4 * GemmKernels.PanelWidth;

    /// <summary>
    /// One row by <see cref="WideColumns"/> columns of a B that lies plain in memory: long pieces of each of its rows at once,
    /// since B is read only once and narrow columns of a plain matrix defeat the prefetcher.
    /// </summary>
    public static void Run(SimdLevel level, nint k, float* a, nint aCol, float* b, nint bRow, float* c, bool accumulate)
    {
        switch (level)
        {
            case SimdLevel.Vector512:
                Wide<Lanes512, Vector512<float>>(k, a, aCol, b, bRow, c, accumulate);
                break;
            case SimdLevel.Vector256:
                Wide<Lanes256, Vector256<float>>(k, a, aCol, b, bRow, c, accumulate);
                break;
            case SimdLevel.Vector128:
                Wide<Lanes128, Vector128<float>>(k, a, aCol, b, bRow, c, accumulate);
                break;
            default:
                Wide<Lanes1, float>(k, a, aCol, b, bRow, c, accumulate);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Wide<L, V>(nint k, float* a, nint aCol, float* b, nint bRow, float* c, bool accumulate)
        where L : struct, ILanes<V>
        where V : struct
    {
        for (int j = 0; j < WideColumns; j += 8 * L.Width)
        {
            V s0, s1, s2, s3, s4, s5, s6, s7;
            if (accumulate)
            {
                s0 = L.Load(c + j);
                s1 = L.Load(c + j + (1 * L.Width));
                s2 = L.Load(c + j + (2 * L.Width));
                s3 = L.Load(c + j + (3 * L.Width));
                s4 = L.Load(c + j + (4 * L.Width));
                s5 = L.Load(c + j + (5 * L.Width));
                s6 = L.Load(c + j + (6 * L.Width));
                s7 = L.Load(c + j + (7 * L.Width));
            }
            else
            {
                s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = L.Broadcast(0f);
            }

            float* left = a;
            float* right = b + j;
            for (nint p = 0; p < k; p++)
            {
                V x = L.Broadcast(*left);
                s0 = L.Fma(x, L.Load(right), s0);
                s1 = L.Fma(x, L.Load(right + (1 * L.Width)), s1);
                s2 = L.Fma(x, L.Load(right + (2 * L.Width)), s2);
                s3 = L.Fma(x, L.Load(right + (3 * L.Width)), s3);
                s4 = L.Fma(x, L.Load(right + (4 * L.Width)), s4);
                s5 = L.Fma(x, L.Load(right + (5 * L.Width)), s5);
                s6 = L.Fma(x, L.Load(right + (6 * L.Width)), s6);
                s7 = L.Fma(x, L.Load(right + (7 * L.Width)), s7);
                left += aCol;
                right += bRow;
            }

            L.Store(c + j, s0);
            L.Store(c + j + (1 * L.Width), s1);
            L.Store(c + j + (2 * L.Width), s2);
            L.Store(c + j + (3 * L.Width), s3);
            L.Store(c + j + (4 * L.Width), s4);
            L.Store(c + j + (5 * L.Width), s5);
            L.Store(c + j + (6 * L.Width), s6);
            L.Store(c + j + (7 * L.Width), s7);
        }
    }
}
