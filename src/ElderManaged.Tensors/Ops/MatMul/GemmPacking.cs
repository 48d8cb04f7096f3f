using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>Rearranging matrices so that the micro-kernels read them in the order of memory.</summary>
internal static unsafe class GemmPacking
{
    /// <summary>
    /// One panel of B, <paramref name="k"/> rows of <see cref="GemmKernels.PanelWidth"/> floats, zero where B has no more columns.
    /// </summary>
    /// <param name="transposed">False: B[p, j] lies at b + p·stride + j. True: at b + j·stride + p.</param>
    /// <param name="b">The panel's first element.</param>
    /// <param name="stride">The leading dimension of B.</param>
    /// <param name="k">Rows to pack.</param>
    /// <param name="columns">Columns that exist, 1 to 32.</param>
    /// <param name="target">k·32 floats.</param>
    public static void Panel(bool transposed, float* b, nint stride, nint k, int columns, float* target)
    {
        const int width = GemmKernels.PanelWidth;
        if (columns < width)
        {
            new Span<float>(target, checked((int)(k * width))).Clear();
        }

        if (transposed)
        {
            Transpose(b, stride, columns, k, target, width);
        }
        else
        {
            CopyRows(b, stride, k, columns, target, width);
        }
    }

    /// <summary>
    /// <paramref name="rows"/> rows of op(A) for one kernel: k groups of <paramref name="rows"/> floats, times <paramref name="alpha"/>.
    /// </summary>
    /// <param name="a">The first element; A[i, p] lies at a + i·aRow + p·aCol, and one of the strides is 1.</param>
    /// <param name="aRow">From one row of op(A) to the next.</param>
    /// <param name="aCol">From one k to the next.</param>
    /// <param name="rows">The height of the kernel.</param>
    /// <param name="k">Columns of op(A).</param>
    /// <param name="alpha">The factor.</param>
    /// <param name="target">rows·k floats.</param>
    public static void Rows(float* a, nint aRow, nint aCol, int rows, nint k, float alpha, float* target)
    {
        if (aCol == 1)
        {
            Transpose(a, aRow, rows, k, target, rows);
        }
        else
        {
            CopyRows(a, aCol, k, rows, target, rows);
        }

        if (alpha != 1f)
        {
            for (nint i = 0; i < rows * k; i++)
            {
                target[i] *= alpha;
            }
        }
    }

    // target[p·targetStride + j] = source[p·stride + j]
    private static void CopyRows(float* source, nint stride, nint k, int columns, float* target, nint targetStride)
    {
        for (nint p = 0; p < k; p++)
        {
            Unsafe.CopyBlockUnaligned(target, source, (uint)columns * sizeof(float));
            source += stride;
            target += targetStride;
        }
    }

    // target[p·targetStride + j] = source[j·stride + p], by 4×4 squares turned in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(float* source, nint stride, int columns, nint k, float* target, nint targetStride)
    {
        int j = 0;
        if (Sse.IsSupported || AdvSimd.Arm64.IsSupported)
        {
            for (; j + 4 <= columns; j += 4)
            {
                float* s0 = source + (j * stride);
                float* s1 = s0 + stride;
                float* s2 = s1 + stride;
                float* s3 = s2 + stride;
                float* t = target + j;
                nint p = 0;
                for (; p + 4 <= k; p += 4)
                {
                    Vector128<float> r0 = Vector128.Load(s0 + p);
                    Vector128<float> r1 = Vector128.Load(s1 + p);
                    Vector128<float> r2 = Vector128.Load(s2 + p);
                    Vector128<float> r3 = Vector128.Load(s3 + p);
                    Vector128<float> low02 = ZipLow(r0, r2);
                    Vector128<float> high02 = ZipHigh(r0, r2);
                    Vector128<float> low13 = ZipLow(r1, r3);
                    Vector128<float> high13 = ZipHigh(r1, r3);
                    ZipLow(low02, low13).Store(t);
                    ZipHigh(low02, low13).Store(t + targetStride);
                    ZipLow(high02, high13).Store(t + (2 * targetStride));
                    ZipHigh(high02, high13).Store(t + (3 * targetStride));
                    t += 4 * targetStride;
                }

                for (; p < k; p++)
                {
                    t[0] = s0[p];
                    t[1] = s1[p];
                    t[2] = s2[p];
                    t[3] = s3[p];
                    t += targetStride;
                }
            }
        }

        for (; j < columns; j++)
        {
            float* s = source + (j * stride);
            float* t = target + j;
            for (nint p = 0; p < k; p++)
            {
                *t = s[p];
                t += targetStride;
            }
        }
    }

    // a0 b0 a1 b1
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    // a2 b2 a3 b3
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);
}
