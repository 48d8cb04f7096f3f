using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// Rows of heads, which lie far apart in memory, gathered into the panels that the micro-kernels read: past segments and own
/// rows become one sequence of positions here.
/// </summary>
internal static unsafe class AttentionPacking
{
    public const int Panel = GemmKernels.PanelWidth;

    /// <summary>
    /// Up to so many rows of a head are read where they lie: copying them together, or into panels, would cost more than it saves,
    /// even where rows are a power of two apart and share few places of the first-level cache.
    /// </summary>
    public const int FewRows = 128;

    /// <summary>
    /// A panel of transposed rows, which lie <paramref name="stride"/> apart: element c of row j lies at target + 32·c + j. Where fewer
    /// than 32 rows are left the others are zeros or copies of the last: what lies there by chance might be subnormal numbers, which are slow.
    /// </summary>
    public static void Turned(float* source, nint stride, int width, int left, float* target)
    {
        float** rows = stackalloc float*[4];
        for (float* zero = target; left < Panel && zero < target + ((nint)width * Panel); zero += 16)
        {
            Vector512<float>.Zero.Store(zero);
        }

        for (int j = 0; j < Math.Min(Panel, left);)
        {
            if (Avx512F.IsSupported && left - j >= 16)
            {
                Turn16(source + (j * stride), stride, width, target + j);
                j += 16;
                continue;
            }

            for (int i = 0; i < 4; i++)
            {
                rows[i] = source + (Math.Min(j + i, left - 1) * stride);
            }

            Turn4(rows, width, target + j);
            j += 4;
        }
    }

    /// <summary>Keys of all positions as rows in panels of 32 columns, see <see cref="Rows(float*, nint, int, int, float*, nint)"/>: those of the past are turned back, up to three too many.</summary>
    public static void KeyRows(in AttentionSlice slice, float* target, nint plane)
    {
        for (int p = 0; p < slice.Past; p += Panel)
        {
            float* panel = slice.PastKeys(p);
            for (int c = 0; c < slice.Width; c += Panel)
            {
                Turned(panel + (c * Panel), Panel, Math.Min(Panel, (slice.Past - p + 3) & -4), slice.Width - c, target + (c / Panel * plane) + ((nint)p * Panel));
            }
        }

        Rows(slice.OwnKeys, slice.KeyStride, slice.Width, slice.Length, target + ((nint)slice.Past * Panel), plane);
    }

    /// <summary>Some columns of rows <paramref name="width"/> apart written into the panels [width, 32] of positions from <paramref name="at"/> on.</summary>
    public static void AppendTurned(float* source, int width, int firstColumn, int endColumn, int count, float* panels, int at)
    {
        for (int done = 0; done < count;)
        {
            int position = at + done;
            float* row = source + ((long)done * width);
            float* target = panels + ((long)(position & -Panel) * width) + (position % Panel);
            if (Avx512F.IsSupported && position % 16 == 0 && count - done >= 16)
            {
                Turn16(row + firstColumn, width, endColumn - firstColumn, target + ((nint)firstColumn * Panel));
                done += 16;
                continue;
            }

            for (int c = firstColumn; c < endColumn; c++)
            {
                target[(nint)c * Panel] = row[c];
            }

            done++;
        }
    }

    /// <summary>
    /// Rows cut into panels of 32 columns, padded with zeros: column c of row p lies at target + (c / 32)·plane + 32·p + c % 32.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Rows(float* source, nint stride, int width, int count, float* target, nint plane)
    {
        for (int p = 0; p < count; p++)
        {
            Row(source + (p * stride), width, target + ((nint)p * Panel), plane);
        }
    }

    /// <summary>Rows copied to others: close together, where they are read many times. A power of two apart, they would share few places of the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Copy(float* source, nint stride, int width, int count, float* target, nint targetStride)
    {
        for (int r = 0; r < count; r++)
        {
            int i = 0;
            for (; i <= width - 16; i += 16)
            {
                Vector512.Load(source + i).Store(target + i);
            }

            for (; i < width; i++)
            {
                target[i] = source[i];
            }

            source += stride;
            target += targetStride;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(float* source, int width, float* target, nint plane)
    {
        int c = 0;
        for (; c <= width - Panel; c += Panel)
        {
            Vector512.Load(source + c).Store(target);
            Vector512.Load(source + c + 16).Store(target + 16);
            target += plane;
        }

        if (c < width)
        {
            Vector512<float>.Zero.Store(target);
            Vector512<float>.Zero.Store(target + 16);
            for (float* end = target + (width - c); target < end; c++)
            {
                *target++ = source[c];
            }
        }
    }

    // Sixteen rows to sixteen lanes, four columns at a time:
    //
    //   R0 = row 0 | row 4 | row 8 | row 12     columns c … c+3 of each: a quarter of a register is one row,
    //   R1 = row 1 | row 5 | row 9 | row 13     so turning the 4×4 squares inside the quarters
    //   R2 = …                                  leaves each column's sixteen rows in order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn16(float* row0, nint stride, int width, float* target)
    {
        float* row4 = row0 + (4 * stride);
        float* row8 = row0 + (8 * stride);
        float* row12 = row0 + (12 * stride);
        nint stride2 = 2 * stride;
        nint stride3 = 3 * stride;
        int c = 0;
        for (; c <= width - 4; c += 4)
        {
            Vector512<float> r0 = Quarters(row0, row4, row8, row12);
            Vector512<float> r1 = Quarters(row0 + stride, row4 + stride, row8 + stride, row12 + stride);
            Vector512<float> r2 = Quarters(row0 + stride2, row4 + stride2, row8 + stride2, row12 + stride2);
            Vector512<float> r3 = Quarters(row0 + stride3, row4 + stride3, row8 + stride3, row12 + stride3);
            Vector512<double> low01 = Avx512F.UnpackLow(r0, r1).AsDouble();
            Vector512<double> high01 = Avx512F.UnpackHigh(r0, r1).AsDouble();
            Vector512<double> low23 = Avx512F.UnpackLow(r2, r3).AsDouble();
            Vector512<double> high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
            Avx512F.UnpackLow(low01, low23).AsSingle().Store(target);
            Avx512F.UnpackHigh(low01, low23).AsSingle().Store(target + Panel);
            Avx512F.UnpackLow(high01, high23).AsSingle().Store(target + (2 * Panel));
            Avx512F.UnpackHigh(high01, high23).AsSingle().Store(target + (3 * Panel));
            row0 += 4;
            row4 += 4;
            row8 += 4;
            row12 += 4;
            target += 4 * Panel;
        }

        for (; c < width; c++)
        {
            for (int i = 0; i < 16; i++)
            {
                target[i] = row0[i * stride];
            }

            row0++;
            target += Panel;
        }
    }

    // Inserted from memory, quarters need no shuffle: the unpacking keeps the only unit for shuffles busy enough.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(float* first, float* second, float* third, float* fourth)
    {
        Vector512<float> all = Vector128.Load(first).ToVector256Unsafe().ToVector512Unsafe();
        all = Avx512F.InsertVector128(all, Vector128.Load(second), 1);
        all = Avx512F.InsertVector128(all, Vector128.Load(third), 2);
        return Avx512F.InsertVector128(all, Vector128.Load(fourth), 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn4(float** rows, int width, float* target)
    {
        int c = 0;
        for (; (Sse.IsSupported || AdvSimd.Arm64.IsSupported) && c <= width - 4; c += 4)
        {
            Vector128<float> r0 = Vector128.Load(rows[0] + c);
            Vector128<float> r1 = Vector128.Load(rows[1] + c);
            Vector128<float> r2 = Vector128.Load(rows[2] + c);
            Vector128<float> r3 = Vector128.Load(rows[3] + c);
            Vector128<float> low02 = GemmPacking.ZipLow(r0, r2);
            Vector128<float> high02 = GemmPacking.ZipHigh(r0, r2);
            Vector128<float> low13 = GemmPacking.ZipLow(r1, r3);
            Vector128<float> high13 = GemmPacking.ZipHigh(r1, r3);
            GemmPacking.ZipLow(low02, low13).Store(target);
            GemmPacking.ZipHigh(low02, low13).Store(target + Panel);
            GemmPacking.ZipLow(high02, high13).Store(target + (2 * Panel));
            GemmPacking.ZipHigh(high02, high13).Store(target + (3 * Panel));
            target += 4 * Panel;
        }

        for (; c < width; c++)
        {
            for (int i = 0; i < 4; i++)
            {
                target[i] = rows[i][c];
            }

            target += Panel;
        }
    }
}
