using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// Products of a few short rows, for ops whose matrices are too small or too ragged for <see cref="Gemm"/>.
/// </summary>
/// <remarks>
/// Every sum has one order, given by its length alone: dot products in sixteen interleaved lanes joined as a fixed
/// tree, sums of rows one after the other. It depends neither on alignment, nor on neighbours, nor on the machine: where
/// registers are narrower, the runtime makes a <see cref="Vector512{T}"/> of several, lane by lane the same.
/// </remarks>
internal static unsafe class RowKernels
{
    private const int Width = 16;

    /// <summary>results[i] = x · rows[i] for <paramref name="count"/> rows that lie <paramref name="stride"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dots(float* x, float* rows, nint stride, int count, int length, float* results)
    {
        int whole = length & -Width;
        for (int i = 0; i < count; i += 4)
        {
            // The last group repeats its last row instead of running shorter code.
            int left = count - i;
            float* r0 = rows + (i * stride);
            float* r1 = left > 1 ? r0 + stride : r0;
            float* r2 = left > 2 ? r1 + stride : r1;
            float* r3 = left > 3 ? r2 + stride : r2;
            Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
            for (int c = 0; c < whole; c += Width)
            {
                Vector512<float> v = Vector512.Load(x + c);
                s0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(r0 + c), s0);
                s1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(r1 + c), s1);
                s2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(r2 + c), s2);
                s3 = Vector512.FusedMultiplyAdd(v, Vector512.Load(r3 + c), s3);
            }

            results[i] = Tail(x, r0, whole, length, Reductions.Fold(s0));
            if (left > 1)
            {
                results[i + 1] = Tail(x, r1, whole, length, Reductions.Fold(s1));
            }

            if (left > 2)
            {
                results[i + 2] = Tail(x, r2, whole, length, Reductions.Fold(s2));
            }

            if (left > 3)
            {
                results[i + 3] = Tail(x, r3, whole, length, Reductions.Fold(s3));
            }
        }
    }

    /// <summary>
    /// results[m][i] = x[m] · rows[i] for several x. Four by four at a time: eight loads then serve sixteen multiply-adds.
    /// <code>
    ///              rows[i]  i+1  i+2  i+3
    ///    x[m]        s00    s01  s02  s03      each s: sixteen lanes, the order of <see cref="Dots"/>
    ///    x[m + 1]    s10    …
    /// </code>
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Products(
        float* x, nint xStride, int xCount, float* rows, nint stride, int count, int length, float* results, nint resultStride)
    {
        int whole = length & -Width;
        int m = 0;
        for (; m <= xCount - 4; m += 4)
        {
            float* x0 = x + (m * xStride), x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
            float* result = results + (m * resultStride);
            int i = 0;
            for (; i <= count - 4; i += 4)
            {
                float* r0 = rows + (i * stride), r1 = r0 + stride, r2 = r1 + stride, r3 = r2 + stride;
                Vector512<float> s00 = default, s01 = default, s02 = default, s03 = default;
                Vector512<float> s10 = default, s11 = default, s12 = default, s13 = default;
                Vector512<float> s20 = default, s21 = default, s22 = default, s23 = default;
                Vector512<float> s30 = default, s31 = default, s32 = default, s33 = default;
                for (nint c = 0; c < whole; c += Width)
                {
                    Vector512<float> v0 = Vector512.Load(x0 + c), v1 = Vector512.Load(x1 + c), v2 = Vector512.Load(x2 + c), v3 = Vector512.Load(x3 + c);
                    Vector512<float> r = Vector512.Load(r0 + c);
                    s00 = Vector512.FusedMultiplyAdd(v0, r, s00);
                    s10 = Vector512.FusedMultiplyAdd(v1, r, s10);
                    s20 = Vector512.FusedMultiplyAdd(v2, r, s20);
                    s30 = Vector512.FusedMultiplyAdd(v3, r, s30);
                    r = Vector512.Load(r1 + c);
                    s01 = Vector512.FusedMultiplyAdd(v0, r, s01);
                    s11 = Vector512.FusedMultiplyAdd(v1, r, s11);
                    s21 = Vector512.FusedMultiplyAdd(v2, r, s21);
                    s31 = Vector512.FusedMultiplyAdd(v3, r, s31);
                    r = Vector512.Load(r2 + c);
                    s02 = Vector512.FusedMultiplyAdd(v0, r, s02);
                    s12 = Vector512.FusedMultiplyAdd(v1, r, s12);
                    s22 = Vector512.FusedMultiplyAdd(v2, r, s22);
                    s32 = Vector512.FusedMultiplyAdd(v3, r, s32);
                    r = Vector512.Load(r3 + c);
                    s03 = Vector512.FusedMultiplyAdd(v0, r, s03);
                    s13 = Vector512.FusedMultiplyAdd(v1, r, s13);
                    s23 = Vector512.FusedMultiplyAdd(v2, r, s23);
                    s33 = Vector512.FusedMultiplyAdd(v3, r, s33);
                }

                Four(x0, r0, stride, whole, length, s00, s01, s02, s03, result + i);
                Four(x1, r0, stride, whole, length, s10, s11, s12, s13, result + resultStride + i);
                Four(x2, r0, stride, whole, length, s20, s21, s22, s23, result + (2 * resultStride) + i);
                Four(x3, r0, stride, whole, length, s30, s31, s32, s33, result + (3 * resultStride) + i);
            }

            for (int left = m; i < count && left < m + 4; left++)
            {
                Dots(x + (left * xStride), rows + (i * stride), stride, count - i, length, results + (left * resultStride) + i);
            }
        }

        for (; m < xCount; m++)
        {
            Dots(x + (m * xStride), rows, stride, count, length, results + (m * resultStride));
        }
    }

    /// <summary>
    /// y[m] = start[m] + Σ_i coefficients[m, i] · rows[i] for several y, each element one chain of fused multiply-adds in the order
    /// of i. <paramref name="start"/> may be y itself (then += ), or null for zeros. Coefficients of one y lie
    /// <paramref name="inner"/> apart, those of the next y <paramref name="outer"/>.
    /// </summary>
    /// <remarks>Four y by four registers at a time: eight loads then serve sixteen multiply-adds, as in <see cref="Products"/>.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddProducts(
        float* y, nint yStride, int yCount, float* start, int length, float* coefficients, nint outer, nint inner, float* rows, nint stride, int count)
    {
        int m = 0;
        for (; m <= yCount - 4; m += 4)
        {
            float* y0 = y + (m * yStride), y1 = y0 + yStride, y2 = y1 + yStride, y3 = y2 + yStride;
            float* f0 = coefficients + (m * outer), f1 = f0 + outer, f2 = f1 + outer, f3 = f2 + outer;
            nint from = start == null ? 0 : (nint)(start - y); // where a sum begins, from where it ends
            nint c = 0;
            for (; c <= length - (4 * Width); c += 4 * Width)
            {
                Vector512<float> s00 = default, s01 = default, s02 = default, s03 = default;
                Vector512<float> s10 = default, s11 = default, s12 = default, s13 = default;
                Vector512<float> s20 = default, s21 = default, s22 = default, s23 = default;
                Vector512<float> s30 = default, s31 = default, s32 = default, s33 = default;
                if (start != null)
                {
                    float* p = y0 + from + c;
                    (s00, s01, s02, s03) = (Vector512.Load(p), Vector512.Load(p + Width), Vector512.Load(p + (2 * Width)), Vector512.Load(p + (3 * Width)));
                    p += yStride;
                    (s10, s11, s12, s13) = (Vector512.Load(p), Vector512.Load(p + Width), Vector512.Load(p + (2 * Width)), Vector512.Load(p + (3 * Width)));
                    p += yStride;
                    (s20, s21, s22, s23) = (Vector512.Load(p), Vector512.Load(p + Width), Vector512.Load(p + (2 * Width)), Vector512.Load(p + (3 * Width)));
                    p += yStride;
                    (s30, s31, s32, s33) = (Vector512.Load(p), Vector512.Load(p + Width), Vector512.Load(p + (2 * Width)), Vector512.Load(p + (3 * Width)));
                }

                float* row = rows + c;
                nint at = 0;
                for (int i = 0; i < count; i++)
                {
                    Vector512<float> r0 = Vector512.Load(row), r1 = Vector512.Load(row + Width);
                    Vector512<float> r2 = Vector512.Load(row + (2 * Width)), r3 = Vector512.Load(row + (3 * Width));
                    Vector512<float> f = Vector512.Create(f0[at]);
                    s00 = Vector512.FusedMultiplyAdd(f, r0, s00);
                    s01 = Vector512.FusedMultiplyAdd(f, r1, s01);
                    s02 = Vector512.FusedMultiplyAdd(f, r2, s02);
                    s03 = Vector512.FusedMultiplyAdd(f, r3, s03);
                    f = Vector512.Create(f1[at]);
                    s10 = Vector512.FusedMultiplyAdd(f, r0, s10);
                    s11 = Vector512.FusedMultiplyAdd(f, r1, s11);
                    s12 = Vector512.FusedMultiplyAdd(f, r2, s12);
                    s13 = Vector512.FusedMultiplyAdd(f, r3, s13);
                    f = Vector512.Create(f2[at]);
                    s20 = Vector512.FusedMultiplyAdd(f, r0, s20);
                    s21 = Vector512.FusedMultiplyAdd(f, r1, s21);
                    s22 = Vector512.FusedMultiplyAdd(f, r2, s22);
                    s23 = Vector512.FusedMultiplyAdd(f, r3, s23);
                    f = Vector512.Create(f3[at]);
                    s30 = Vector512.FusedMultiplyAdd(f, r0, s30);
                    s31 = Vector512.FusedMultiplyAdd(f, r1, s31);
                    s32 = Vector512.FusedMultiplyAdd(f, r2, s32);
                    s33 = Vector512.FusedMultiplyAdd(f, r3, s33);
                    row += stride;
                    at += inner;
                }

                Store(y0 + c, s00, s01, s02, s03);
                Store(y1 + c, s10, s11, s12, s13);
                Store(y2 + c, s20, s21, s22, s23);
                Store(y3 + c, s30, s31, s32, s33);
            }

            for (int left = m; c < length && left < m + 4; left++)
            {
                float* to = y + (left * yStride) + c;
                Begin(to, start == null ? null : start + (left * yStride) + c, (int)(length - c));
                AddCombination(to, (int)(length - c), coefficients + (left * outer), inner, rows + c, stride, count);
            }
        }

        for (; m < yCount; m++)
        {
            Begin(y + (m * yStride), start == null ? null : start + (m * yStride), length);
            AddCombination(y + (m * yStride), length, coefficients + (m * outer), inner, rows, stride, count);
        }
    }

    /// <summary>
    /// y += Σ_i coefficients[i] · rows[i], each element one chain of fused multiply-adds in the order of i. Coefficients
    /// lie <paramref name="coefficientStride"/> apart, rows <paramref name="stride"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddCombination(
        float* y, int length, float* coefficients, nint coefficientStride, float* rows, nint stride, int count)
    {
        int c = 0;
        for (; c <= length - (4 * Width); c += 4 * Width)
        {
            Vector512<float> s0 = Vector512.Load(y + c);
            Vector512<float> s1 = Vector512.Load(y + c + Width);
            Vector512<float> s2 = Vector512.Load(y + c + (2 * Width));
            Vector512<float> s3 = Vector512.Load(y + c + (3 * Width));
            float* row = rows + c;
            float* factor = coefficients;
            for (int i = 0; i < count; i++)
            {
                Vector512<float> f = Vector512.Create(*factor);
                s0 = Vector512.FusedMultiplyAdd(f, Vector512.Load(row), s0);
                s1 = Vector512.FusedMultiplyAdd(f, Vector512.Load(row + Width), s1);
                s2 = Vector512.FusedMultiplyAdd(f, Vector512.Load(row + (2 * Width)), s2);
                s3 = Vector512.FusedMultiplyAdd(f, Vector512.Load(row + (3 * Width)), s3);
                row += stride;
                factor += coefficientStride;
            }

            s0.Store(y + c);
            s1.Store(y + c + Width);
            s2.Store(y + c + (2 * Width));
            s3.Store(y + c + (3 * Width));
        }

        for (; c <= length - (2 * Width); c += 2 * Width)
        {
            Vector512<float> s0 = Vector512.Load(y + c);
            Vector512<float> s1 = Vector512.Load(y + c + Width);
            float* row = rows + c;
            float* factor = coefficients;
            for (int i = 0; i < count; i++)
            {
                Vector512<float> f = Vector512.Create(*factor);
                s0 = Vector512.FusedMultiplyAdd(f, Vector512.Load(row), s0);
                s1 = Vector512.FusedMultiplyAdd(f, Vector512.Load(row + Width), s1);
                row += stride;
                factor += coefficientStride;
            }

            s0.Store(y + c);
            s1.Store(y + c + Width);
        }

        for (; c < length; c++)
        {
            float s = y[c];
            for (int i = 0; i < count; i++)
            {
                s = MathF.FusedMultiplyAdd(coefficients[i * coefficientStride], rows[(i * stride) + c], s);
            }

            y[c] = s;
        }
    }

    /// <summary>rows[i] += coefficients[i] · x for every i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddOuter(float* rows, nint stride, int count, float* coefficients, float* x, int length)
    {
        int whole = length & -Width;
        for (int i = 0; i < count; i++)
        {
            float factor = coefficients[i];
            Vector512<float> f = Vector512.Create(factor);
            for (int c = 0; c < whole; c += Width)
            {
                Vector512.FusedMultiplyAdd(f, Vector512.Load(x + c), Vector512.Load(rows + c)).Store(rows + c);
            }

            for (int c = whole; c < length; c++)
            {
                rows[c] = MathF.FusedMultiplyAdd(factor, x[c], rows[c]);
            }

            rows += stride;
        }
    }

    // The four results of one x, in the order of Dots.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(
        float* x, float* row, nint stride, int whole, int length, Vector512<float> s0, Vector512<float> s1, Vector512<float> s2, Vector512<float> s3, float* results)
    {
        results[0] = Tail(x, row, whole, length, Reductions.Fold(s0));
        results[1] = Tail(x, row + stride, whole, length, Reductions.Fold(s1));
        results[2] = Tail(x, row + (2 * stride), whole, length, Reductions.Fold(s2));
        results[3] = Tail(x, row + (3 * stride), whole, length, Reductions.Fold(s3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* y, Vector512<float> s0, Vector512<float> s1, Vector512<float> s2, Vector512<float> s3)
    {
        s0.Store(y);
        s1.Store(y + Width);
        s2.Store(y + (2 * Width));
        s3.Store(y + (3 * Width));
    }

    private static void Begin(float* y, float* start, int length)
    {
        if (start == null)
        {
            new Span<float>(y, length).Clear();
        }
        else if (start != y)
        {
            new Span<float>(start, length).CopyTo(new Span<float>(y, length));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Tail(float* x, float* row, int from, int length, float sum)
    {
        for (int c = from; c < length; c++)
        {
            sum = MathF.FusedMultiplyAdd(x[c], row[c], sum);
        }

        return sum;
    }
}
