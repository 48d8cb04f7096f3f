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
