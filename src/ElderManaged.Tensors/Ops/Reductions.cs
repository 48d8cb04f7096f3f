using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// Sums over contiguous floats in one fixed order: sixteen (or four times sixteen) running sums, folded at the end, then the rest.
/// The runtime splits <see cref="Vector512{T}"/> where the machine has narrower registers, which does not change the order.
/// </summary>
internal static unsafe class Reductions
{
    /// <summary>Σ x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum(float* x, int n)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i <= n - 64; i += 64)
        {
            a += Vector512.Load(x + i);
            b += Vector512.Load(x + i + 16);
            c += Vector512.Load(x + i + 32);
            d += Vector512.Load(x + i + 48);
        }

        for (; i <= n - 16; i += 16)
        {
            a += Vector512.Load(x + i);
        }

        float sum = Fold((a + b) + (c + d));
        for (; i < n; i++)
        {
            sum += x[i];
        }

        return sum;
    }

    /// <summary>Σ x·y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(float* x, float* y, int n)
    {
        Vector512<float> a = default, b = default;
        int i = 0;
        for (; i <= n - 32; i += 32)
        {
            a = Vector512.FusedMultiplyAdd(Vector512.Load(x + i), Vector512.Load(y + i), a);
            b = Vector512.FusedMultiplyAdd(Vector512.Load(x + i + 16), Vector512.Load(y + i + 16), b);
        }

        for (; i <= n - 16; i += 16)
        {
            a = Vector512.FusedMultiplyAdd(Vector512.Load(x + i), Vector512.Load(y + i), a);
        }

        float sum = Fold(a + b);
        for (; i < n; i++)
        {
            sum = MathF.FusedMultiplyAdd(x[i], y[i], sum);
        }

        return sum;
    }

    /// <summary>Σ (x − center)².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SquaredDeviations(float* x, float center, int n)
    {
        Vector512<float> m = Vector512.Create(center);
        Vector512<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i <= n - 64; i += 64)
        {
            Vector512<float> p = Vector512.Load(x + i) - m, q = Vector512.Load(x + i + 16) - m;
            Vector512<float> r = Vector512.Load(x + i + 32) - m, s = Vector512.Load(x + i + 48) - m;
            a = Vector512.FusedMultiplyAdd(p, p, a);
            b = Vector512.FusedMultiplyAdd(q, q, b);
            c = Vector512.FusedMultiplyAdd(r, r, c);
            d = Vector512.FusedMultiplyAdd(s, s, d);
        }

        for (; i <= n - 16; i += 16)
        {
            Vector512<float> p = Vector512.Load(x + i) - m;
            a = Vector512.FusedMultiplyAdd(p, p, a);
        }

        float sum = Fold((a + b) + (c + d));
        for (; i < n; i++)
        {
            float p = x[i] - center;
            sum = MathF.FusedMultiplyAdd(p, p, sum);
        }

        return sum;
    }

    /// <summary>The largest element, −∞ of none. An element that is not a number may be passed over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max(float* x, int n)
    {
        Vector512<float> a = Vector512.Create(float.NegativeInfinity), b = a, c = a, d = a;
        int i = 0;
        for (; i <= n - 64; i += 64)
        {
            a = Lanes512.Max(a, Vector512.Load(x + i));
            b = Lanes512.Max(b, Vector512.Load(x + i + 16));
            c = Lanes512.Max(c, Vector512.Load(x + i + 32));
            d = Lanes512.Max(d, Vector512.Load(x + i + 48));
        }

        a = Lanes512.Max(Lanes512.Max(a, b), Lanes512.Max(c, d));
        for (; i <= n - 16; i += 16)
        {
            a = Lanes512.Max(a, Vector512.Load(x + i));
        }

        float largest = Largest(a);
        for (; i < n; i++)
        {
            largest = x[i] > largest ? x[i] : largest;
        }

        return largest;
    }

    /// <summary>The largest of sixteen lanes, −∞ if none is a number.</summary>
    public static float Largest(Vector512<float> v)
    {
        float largest = float.NegativeInfinity;
        for (int lane = 0; lane < 16; lane++)
        {
            largest = v[lane] > largest ? v[lane] : largest;
        }

        return largest;
    }

    /// <summary>Asks for the cache line of an address that is read soon; the address may lie outside of any memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(float* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }

    /// <summary>The sixteen lanes added by halving.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Fold(Vector512<float> v)
    {
        Vector256<float> eight = v.GetLower() + v.GetUpper();
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        return (four[0] + four[2]) + (four[1] + four[3]);
    }

    /// <summary>target += row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddTo(float* target, float* row, int n)
    {
        int i = 0;
        for (; i <= n - 16; i += 16)
        {
            (Vector512.Load(target + i) + Vector512.Load(row + i)).Store(target + i);
        }

        for (; i < n; i++)
        {
            target[i] += row[i];
        }
    }

    /// <summary>target += the sums of all blocks, in the order of the blocks. Partial sums are [blocks, n].</summary>
    public static void AddBlocks(Tensor? target, float* partial, int blocks)
    {
        if (target is null)
        {
            return;
        }

        int n = target.Length;
        for (int block = 1; block < blocks; block++)
        {
            AddTo(partial, partial + ((long)block * n), n);
        }

        if (blocks > 0)
        {
            AddTo(target.Pointer, partial, n);
            GC.KeepAlive(target);
        }
    }
}
