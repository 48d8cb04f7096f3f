using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>The few things attention does with single rows.</summary>
internal static unsafe class AttentionVectors
{
    /// <summary>target = factor · x for some rows. False if any of the results is infinite or not a number.</summary>
    /// <param name="x">The first row.</param>
    /// <param name="stride">From row to row.</param>
    /// <param name="width">The width of a row.</param>
    /// <param name="count">The number of rows.</param>
    /// <param name="factors">Each row's factor, <paramref name="step"/> apart.</param>
    /// <param name="step">From factor to factor.</param>
    /// <param name="target">The first row written.</param>
    /// <param name="targetStride">From row to row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static bool Scaled(float* x, nint stride, int width, int count, float* factors, int step, float* target, nint targetStride)
    {
        // Sums of zeros, unless something is not finite.
        Vector512<float> a = default, b = default;
        float rest = 0;
        for (int r = 0; r < count; r++)
        {
            Vector512<float> f = Vector512.Create(*factors);
            int i = 0;
            for (; i <= width - 32; i += 32)
            {
                Vector512<float> left = Vector512.Load(x + i) * f, right = Vector512.Load(x + i + 16) * f;
                a = Vector512.FusedMultiplyAdd(left, Vector512<float>.Zero, a);
                b = Vector512.FusedMultiplyAdd(right, Vector512<float>.Zero, b);
                left.Store(target + i);
                right.Store(target + i + 16);
            }

            if (i <= width - 16)
            {
                Vector512<float> left = Vector512.Load(x + i) * f;
                a = Vector512.FusedMultiplyAdd(left, Vector512<float>.Zero, a);
                left.Store(target + i);
                i += 16;
            }

            for (; i < width; i++)
            {
                target[i] = x[i] * *factors;
                rest = MathF.FusedMultiplyAdd(target[i], 0, rest);
            }

            x += stride;
            factors += step;
            target += targetStride;
        }

        return Vector512.EqualsAll(a + b, Vector512<float>.Zero) && rest == 0;
    }

    /// <summary>Adds rows to those at <paramref name="target"/>, or puts them there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Deliver(float* x, nint stride, int width, int count, float* target, nint targetStride, bool add)
    {
        if (!add)
        {
            AttentionPacking.Copy(x, stride, width, count, target, targetStride);
            return;
        }

        for (int r = 0; r < count; r++)
        {
            int i = 0;
            for (; i <= width - 16; i += 16)
            {
                (Vector512.Load(target + i) + Vector512.Load(x + i)).Store(target + i);
            }

            for (; i < width; i++)
            {
                target[i] += x[i];
            }

            x += stride;
            target += targetStride;
        }
    }

    /// <summary>y += Σ_i factors[i] · rows[i]: each element one chain of fused multiply-adds in the order of i.</summary>
    public static void AddCombination(SimdLevel level, float* y, int width, float* factors, float* rows, nint stride, int count)
    {
        switch (level)
        {
            case SimdLevel.Vector512: Combine<Lanes512, Vector512<float>>(y, width, factors, rows, stride, count); break;
            case SimdLevel.Vector256: Combine<Lanes256, Vector256<float>>(y, width, factors, rows, stride, count); break;
            case SimdLevel.Vector128: Combine<Lanes128, Vector128<float>>(y, width, factors, rows, stride, count); break;
            default: Combine<Lanes1, float>(y, width, factors, rows, stride, count); break;
        }
    }

    /// <summary>The products of one row with the 128 columns of four panels [depth, 32], which keep both multipliers busy.</summary>
    public static void FourPanels(SimdLevel level, float* row, int depth, float* panels, nint step, float* result)
    {
        switch (level)
        {
            case SimdLevel.Vector512: FourPanels<Lanes512, Vector512<float>>(row, depth, panels, step, result); break;
            case SimdLevel.Vector256: FourPanels<Lanes256, Vector256<float>>(row, depth, panels, step, result); break;
            case SimdLevel.Vector128: FourPanels<Lanes128, Vector128<float>>(row, depth, panels, step, result); break;
            default: FourPanels<Lanes1, float>(row, depth, panels, step, result); break;
        }
    }

    /// <summary>Whether any element of some rows is infinite or not a number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool NotFinite(float* x, int width, nint stride, int count)
    {
        // Sums of zeros, unless something is not finite; four of them, so that none waits for itself.
        Vector512<float> a = default, b = default, c = default, d = default;
        float rest = 0;
        for (int r = 0; r < count; r++)
        {
            int i = 0;
            for (; i <= width - 64; i += 64)
            {
                a = Vector512.FusedMultiplyAdd(Vector512.Load(x + i), Vector512<float>.Zero, a);
                b = Vector512.FusedMultiplyAdd(Vector512.Load(x + i + 16), Vector512<float>.Zero, b);
                c = Vector512.FusedMultiplyAdd(Vector512.Load(x + i + 32), Vector512<float>.Zero, c);
                d = Vector512.FusedMultiplyAdd(Vector512.Load(x + i + 48), Vector512<float>.Zero, d);
            }

            for (; i <= width - 16; i += 16)
            {
                a = Vector512.FusedMultiplyAdd(Vector512.Load(x + i), Vector512<float>.Zero, a);
            }

            for (; i < width; i++)
            {
                rest = MathF.FusedMultiplyAdd(x[i], 0, rest);
            }

            x += stride;
        }

        return !Vector512.EqualsAll(a + b + (c + d), Vector512<float>.Zero) || rest != 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourPanels<L, V>(float* row, int depth, float* panels, nint step, float* result)
        where L : struct, ILanes<V>
        where V : struct
    {
        const int panel = AttentionPacking.Panel;
        for (int j = 0; j < panel; j += 2 * L.Width)
        {
            float* b0 = panels + j;
            float* b1 = b0 + step;
            float* b2 = b1 + step;
            float* b3 = b2 + step;
            V l0 = L.Broadcast(0f);
            V l1 = l0, l2 = l0, l3 = l0, r0 = l0, r1 = l0, r2 = l0, r3 = l0;
            for (int c = 0; c < depth; c++)
            {
                V x = L.Broadcast(row[c]);
                l0 = L.Fma(x, L.Load(b0), l0);
                r0 = L.Fma(x, L.Load(b0 + L.Width), r0);
                l1 = L.Fma(x, L.Load(b1), l1);
                r1 = L.Fma(x, L.Load(b1 + L.Width), r1);
                l2 = L.Fma(x, L.Load(b2), l2);
                r2 = L.Fma(x, L.Load(b2 + L.Width), r2);
                l3 = L.Fma(x, L.Load(b3), l3);
                r3 = L.Fma(x, L.Load(b3 + L.Width), r3);
                b0 += panel;
                b1 += panel;
                b2 += panel;
                b3 += panel;
            }

            float* to = result + j;
            L.Store(to, l0);
            L.Store(to + L.Width, r0);
            L.Store(to + panel, l1);
            L.Store(to + panel + L.Width, r1);
            L.Store(to + (2 * panel), l2);
            L.Store(to + (2 * panel) + L.Width, r2);
            L.Store(to + (3 * panel), l3);
            L.Store(to + (3 * panel) + L.Width, r3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Combine<L, V>(float* y, int width, float* factors, float* rows, nint stride, int count)
        where L : struct, ILanes<V>
        where V : struct
    {
        int c = 0;
        for (; c <= width - (4 * L.Width); c += 4 * L.Width)
        {
            V s0 = L.Load(y + c);
            V s1 = L.Load(y + c + L.Width);
            V s2 = L.Load(y + c + (2 * L.Width));
            V s3 = L.Load(y + c + (3 * L.Width));
            float* row = rows + c;
            for (int i = 0; i < count; i++)
            {
                if (Sse.IsSupported)
                {
                    // Heads of one position lie side by side, positions pages apart: the hardware does not foresee such steps.
                    float* ahead = row + (32 * stride);
                    Sse.Prefetch0(ahead);
                    Sse.Prefetch0(ahead + L.Width);
                    Sse.Prefetch0(ahead + (2 * L.Width));
                    Sse.Prefetch0(ahead + (3 * L.Width));
                }

                V f = L.Broadcast(factors[i]);
                s0 = L.Fma(f, L.Load(row), s0);
                s1 = L.Fma(f, L.Load(row + L.Width), s1);
                s2 = L.Fma(f, L.Load(row + (2 * L.Width)), s2);
                s3 = L.Fma(f, L.Load(row + (3 * L.Width)), s3);
                row += stride;
            }

            L.Store(y + c, s0);
            L.Store(y + c + L.Width, s1);
            L.Store(y + c + (2 * L.Width), s2);
            L.Store(y + c + (3 * L.Width), s3);
        }

        for (; c <= width - L.Width; c += L.Width)
        {
            V s = L.Load(y + c);
            float* row = rows + c;
            for (int i = 0; i < count; i++)
            {
                s = L.Fma(L.Broadcast(factors[i]), L.Load(row), s);
                row += stride;
            }

            L.Store(y + c, s);
        }

        for (; c < width; c++)
        {
            float s = y[c];
            for (int i = 0; i < count; i++)
            {
                s = MathF.FusedMultiplyAdd(factors[i], rows[(i * stride) + c], s);
            }

            y[c] = s;
        }
    }
}

/// <summary>Each thread's scratch memory for attention.</summary>
internal static unsafe class AttentionScratch
{
    [ThreadStatic]
    private static AlignedBuffer? t_scratch;

    /// <summary>Floats with undefined contents; valid until this thread asks again. Sizes are powers of two, so that growing sequences seldom allocate.</summary>
    public static float* Rent(long length) => 
        AlignedBuffer.Rent(ref t_scratch, (long)BitOperations.RoundUpToPowerOf2((ulong)length));
}
