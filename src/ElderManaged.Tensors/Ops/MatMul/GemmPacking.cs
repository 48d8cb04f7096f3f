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

        if (transposed && columns == width && Avx.IsSupported)
        {
            TransposePanel(b, stride, k, target);
        }
        else if (transposed)
        {
            Transpose(b, stride, columns, k, target, width);
        }
        else
        {
            CopyRows(b, stride, k, columns, target, width);
        }
    }

    /// <summary>
    /// op(A) times <paramref name="alpha"/> in strips, one below the other, each as tall as the kernel that will read it:
    /// element (i, p) of a strip of height h lies at p·h + i.
    /// </summary>
    /// <param name="level">Decides the heights, see <see cref="GemmKernels.KernelRows"/>.</param>
    /// <param name="a">The first element; A[i, p] lies at a + i·aRow + p·aCol, and one of the strides is 1.</param>
    /// <param name="aRow">From one row of op(A) to the next.</param>
    /// <param name="aCol">From one k to the next.</param>
    /// <param name="rows">Rows of op(A).</param>
    /// <param name="k">Columns of op(A).</param>
    /// <param name="alpha">The factor.</param>
    /// <param name="target">rows·k floats.</param>
    public static void Strips(SimdLevel level, float* a, nint aRow, nint aCol, int rows, nint k, float alpha, float* target)
    {
        if (aCol == 1)
        {
            for (int i = 0; i < rows;)
            {
                int height = GemmKernels.KernelRows(level, rows - i);
                Transpose(a + (i * aRow), aRow, height, k, target + (i * k), height);
                i += height;
            }
        }
        else
        {
            // A few strips side by side, so that whole cache lines of A are used at once; all strips would be too many
            // streams of writing, a power of two apart.
            for (int i = 0; i < rows;)
            {
                int sideBySide = 0;
                for (int strip = 0; strip < 4 && i + sideBySide < rows; strip++)
                {
                    sideBySide += GemmKernels.KernelRows(level, rows - i - sideBySide);
                }

                for (nint p = 0; p < k; p++)
                {
                    // The next pages of A: the hardware does not foresee steps as long as this.
                    float* ahead = a + i + (Math.Min(p + 12, k - 1) * aCol);
                    Prefetch.Nearest(ahead);
                    Prefetch.Nearest(ahead + 16);
                    Prefetch.Nearest(ahead + 32);
                    Prefetch.Nearest(ahead + 47);
                    CutRow(level, a + i + (p * aCol), sideBySide, rows - i, k, p, target + (i * k));
                }

                i += sideBySide;
            }
        }

        if (alpha != 1f)
        {
            for (nint i = 0; i < rows * k; i++)
            {
                target[i] *= alpha;
            }
        }
    }

    // Row p of a transposed A, cut into its strips: the first of `rows` elements, where `left` are still to do in all.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CutRow(SimdLevel level, float* source, int rows, int left, nint k, nint p, float* target)
    {
        for (int i = 0; i < rows;)
        {
            int height = GemmKernels.KernelRows(level, left - i);
            float* t = target + (i * k) + (p * height);
            if (height == 12)
            {
                Vector256.Load(source + i).Store(t);
                Vector128.Load(source + i + 8).Store(t + 8);
            }
            else
            {
                for (int r = 0; r < height; r++)
                {
                    t[r] = source[i + r];
                }
            }

            i += height;
        }
    }

    // target[p·targetStride + j] = source[p·stride + j]. A length that the compiler knows becomes a few moves instead of a call.
    private static void CopyRows(float* source, nint stride, nint k, int columns, float* target, nint targetStride)
    {
        for (nint p = 0; p < k; p++)
        {
            switch (columns)
            {
                case 32: Unsafe.CopyBlockUnaligned(target, source, 32 * sizeof(float)); break;
                case 16: Unsafe.CopyBlockUnaligned(target, source, 16 * sizeof(float)); break;
                case 8: Unsafe.CopyBlockUnaligned(target, source, 8 * sizeof(float)); break;
                case 4: Unsafe.CopyBlockUnaligned(target, source, 4 * sizeof(float)); break;
                default: Unsafe.CopyBlockUnaligned(target, source, (uint)columns * sizeof(float)); break;
            }

            source += stride;
            target += targetStride;
        }
    }

    /// <summary>target[p·targetStride + j] = source[j·stride + p], sixteen, eight or four j at a time turned in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* source, nint stride, int columns, nint k, float* target, nint targetStride)
    {
        int j = 0;
        if (Avx512F.IsSupported)
        {
            for (; j + 16 <= columns; j += 16)
            {
                Transpose16(source + (j * stride), stride, k, target + j, targetStride);
            }
        }

        if (Avx.IsSupported)
        {
            for (; j + 8 <= columns; j += 8)
            {
                Transpose8(source + (j * stride), stride, k, target + j, targetStride);
            }
        }

        if (Sse.IsSupported || AdvSimd.Arm64.IsSupported)
        {
            for (; j + 4 <= columns; j += 4)
            {
                Transpose4(source + (j * stride), stride, k, target + j, targetStride);
            }
        }

        for (; j < columns; j++)
        {
            TransposeRest(source + (j * stride), stride, 1, k, target + j, targetStride);
        }
    }

    /// <summary>
    /// A whole panel, 16 steps of k at a time: one line of the cache from each of the 32 rows becomes 2 KB that are written once.
    /// Row after row would bring the panel into the first-level cache four times; and rows that lie a multiple of 4 KB apart
    /// share so few lines there that only what is used up at once survives.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposePanel(float* source, nint stride, nint k, float* target)
    {
        const int width = GemmKernels.PanelWidth;
        const int lines = 16 * 4; // how far ahead is fetched: the hardware follows fewer rows than these
        nint p = 0;
        for (; p + 16 <= k; p += 16)
        {
            float* s = source + p;
            float* t = target + (p * width);
            if (Avx512F.IsSupported)
            {
                for (int j = 0; j < width; j += 16)
                {
                    FetchRows16(s + lines, stride);
                    for (int quarter = 0; quarter < 16; quarter += 4)
                    {
                        Turn16By4(s + quarter, stride, t + j + (quarter * width), width);
                    }

                    s += 16 * stride;
                }

                continue;
            }

            for (int j = 0; j < width; j += 8)
            {
                float* s3 = s + (3 * stride);
                float* s6 = s3 + (3 * stride);
                Prefetch.Nearest(s + lines);
                Prefetch.Nearest(s + stride + lines);
                Prefetch.Nearest(s + (2 * stride) + lines);
                Prefetch.Nearest(s3 + lines);
                Prefetch.Nearest(s3 + stride + lines);
                Prefetch.Nearest(s3 + (2 * stride) + lines);
                Prefetch.Nearest(s6 + lines);
                Prefetch.Nearest(s6 + stride + lines);
                float* to = t + j;
                for (int quarter = 0; quarter < 16; quarter += 4)
                {
                    Turn8By4(s + quarter, s3 + quarter, s6 + quarter, stride, to, width);
                    to += 4 * width;
                }

                s += 8 * stride;
            }
        }

        Transpose(source + p, stride, width, k - p, target + (p * width), width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose16(float* s, nint stride, nint k, float* t, nint targetStride)
    {
        nint p = 0;
        bool far = k >= 64;
        for (; p + 4 <= k; p += 4)
        {
            if (far && (p & 12) == 0)
            {
                FetchRows16(s + (16 * stride) + p, stride); // the next ones: each of these is too short for the hardware to foresee it
            }

            Turn16By4(s + p, stride, t, targetStride);
            t += 4 * targetStride;
        }

        TransposeRest(s + p, stride, 16, k - p, t, targetStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchRows16(float* s, nint stride)
    {
        for (int row = 0; row < 16; row += 4)
        {
            Prefetch.Nearest(s);
            Prefetch.Nearest(s + stride);
            Prefetch.Nearest(s + (2 * stride));
            Prefetch.Nearest(s + (3 * stride));
            s += 4 * stride;
        }
    }

    // Four elements of sixteen rows become sixteen side by side at t, four times.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn16By4(float* s, nint stride, float* t, nint targetStride)
    {
        nint two = 2 * stride, three = 3 * stride;
        float* s4 = s + (4 * stride), s8 = s4 + (4 * stride), s12 = s8 + (4 * stride);
        StoreTurned(
            Quarters(s, s4, s8, s12),
            Quarters(s + stride, s4 + stride, s8 + stride, s12 + stride),
            Quarters(s + two, s4 + two, s8 + two, s12 + two),
            Quarters(s + three, s4 + three, s8 + three, s12 + three),
            t,
            targetStride);
    }

    /// <summary>Four floats from each of four places. A quarter that comes from memory takes no turn at the unit that moves within registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(float* a, float* b, float* c, float* d)
    {
        Vector512<float> first = Vector128.Load(a).ToVector256Unsafe().ToVector512Unsafe();
        Vector512<float> half = Avx512F.InsertVector128(first, Vector128.Load(b), 1);
        return Avx512F.InsertVector128(Avx512F.InsertVector128(half, Vector128.Load(c), 2), Vector128.Load(d), 3);
    }

    /// <summary>
    /// With row 4q + i in quarter q of register i, four elements of sixteen rows become sixteen side by side at <paramref name="t"/>, four times:
    /// two rounds of zipping.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreTurned(Vector512<float> r0, Vector512<float> r1, Vector512<float> r2, Vector512<float> r3, float* t, nint targetStride)
    {
        Vector512<double> low01 = Avx512F.UnpackLow(r0, r1).AsDouble(), high01 = Avx512F.UnpackHigh(r0, r1).AsDouble();
        Vector512<double> low23 = Avx512F.UnpackLow(r2, r3).AsDouble(), high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        Avx512F.UnpackLow(low01, low23).AsSingle().Store(t);
        Avx512F.UnpackHigh(low01, low23).AsSingle().Store(t + targetStride);
        Avx512F.UnpackLow(high01, high23).AsSingle().Store(t + (2 * targetStride));
        Avx512F.UnpackHigh(high01, high23).AsSingle().Store(t + (3 * targetStride));
    }

    /// <summary>The same with eight rows: row 4h + i in half h of register i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreTurned(Vector256<float> r0, Vector256<float> r1, Vector256<float> r2, Vector256<float> r3, float* t, nint targetStride)
    {
        Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble(), high01 = Avx.UnpackHigh(r0, r1).AsDouble();
        Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble(), high23 = Avx.UnpackHigh(r2, r3).AsDouble();
        Avx.UnpackLow(low01, low23).AsSingle().Store(t);
        Avx.UnpackHigh(low01, low23).AsSingle().Store(t + targetStride);
        Avx.UnpackLow(high01, high23).AsSingle().Store(t + (2 * targetStride));
        Avx.UnpackHigh(high01, high23).AsSingle().Store(t + (3 * targetStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose8(float* s, nint stride, nint k, float* t, nint targetStride)
    {
        float* s3 = s + (3 * stride);
        float* s6 = s + (6 * stride);
        nint p = 0;
        bool far = k >= 64;
        for (; p + 8 <= k; p += 8)
        {
            if (far && (p & 8) == 0)
            {
                // The next eight rows: each of these is too short for the hardware to foresee it.
                float* next = s + (8 * stride) + p;
                for (int row = 0; row < 8; row++)
                {
                    Prefetch.Near(next);
                    next += stride;
                }
            }

            for (int half = 0; half < 8; half += 4)
            {
                Turn8By4(s + p + half, s3 + p + half, s6 + p + half, stride, t, targetStride);
                t += 4 * targetStride;
            }
        }

        TransposeRest(s + p, stride, 8, k - p, t, targetStride);
    }

    // Four elements of eight rows, which begin at q0 (rows 0 to 2), q3 and q6, become eight side by side at t, four times.
    // Row i is in the low half of a register, row i + 4 in the high half; two rounds of zipping turn them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn8By4(float* q0, float* q3, float* q6, nint stride, float* t, nint targetStride)
    {
        Vector256<float> r0 = Vector256.Create(Vector128.Load(q0), Vector128.Load(q3 + stride));
        Vector256<float> r1 = Vector256.Create(Vector128.Load(q0 + stride), Vector128.Load(q3 + (2 * stride)));
        Vector256<float> r2 = Vector256.Create(Vector128.Load(q0 + (2 * stride)), Vector128.Load(q6));
        Vector256<float> r3 = Vector256.Create(Vector128.Load(q3), Vector128.Load(q6 + stride));
        StoreTurned(r0, r1, r2, r3, t, targetStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose4(float* s, nint stride, nint k, float* t, nint targetStride)
    {
        nint p = 0;
        for (; p + 4 <= k; p += 4)
        {
            Vector128<float> r0 = Vector128.Load(s + p);
            Vector128<float> r1 = Vector128.Load(s + p + stride);
            Vector128<float> r2 = Vector128.Load(s + p + (2 * stride));
            Vector128<float> r3 = Vector128.Load(s + p + (3 * stride));
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

        TransposeRest(s + p, stride, 4, k - p, t, targetStride);
    }

    private static void TransposeRest(float* s, nint stride, int columns, nint k, float* t, nint targetStride)
    {
        for (nint p = 0; p < k; p++)
        {
            for (int j = 0; j < columns; j++)
            {
                t[j] = s[(j * stride) + p];
            }

            t += targetStride;
        }
    }

    // a0 b0 a1 b1
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    // a2 b2 a3 b3
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);
}
