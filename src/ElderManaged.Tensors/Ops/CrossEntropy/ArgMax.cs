using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>So many elements fit the first-level cache: the run with the largest is read twice, all others once.</summary>
    private const int ArgMaxRun = 4096;

    /// <summary>The position of the largest number of every row, as <see cref="ArgMax"/> finds it. From a device only the positions come back.</summary>
    /// <param name="x">[R, C].</param>
    /// <param name="positions">Room for R positions.</param>
    /// <exception cref="ArgumentException">A row contains NaN, or there is no room.</exception>
    public static void ArgMaxOfRows(Tensor x, Span<int> positions)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (positions.Length < x.Rows)
        {
            throw new ArgumentException($"ArgMaxOfRows: {x.Shape} has {x.Rows} rows, there is room for {positions.Length} positions.");
        }

        if (GpuFeature.IsSupported && x.Gpu is { } gpu && TopKGpu.Takes(x))
        {
            int strange = TopKGpu.Select(gpu, x, 1, positions);
            if (strange > 0)
            {
                throw new ArgumentException($"ArgMax: of {x.Rows} rows of {x.Columns} numbers {strange} contain NaN.");
            }

            return;
        }

        ReadOnlySpan<float> numbers = x.ReadOnlySpan;
        for (int row = 0; row < x.Rows; row++)
        {
            positions[row] = ArgMax(numbers.Slice(row * x.Columns, x.Columns));
        }
    }

    /// <summary>The position of the largest number; of equal ones the first.</summary>
    /// <exception cref="ArgumentException">The row is empty or contains NaN.</exception>
    public static unsafe int ArgMax(ReadOnlySpan<float> row)
    {
        if (row.IsEmpty)
        {
            throw new ArgumentException("ArgMax: the row is empty.");
        }

        fixed (float* x = row)
        {
            float largest = float.NegativeInfinity;
            int run = 0;
            for (int start = 0; start < row.Length; start += ArgMaxRun)
            {
                float max = MaxOfNumbers(x + start, Math.Min(ArgMaxRun, row.Length - start));
                if (float.IsNaN(max))
                {
                    throw new ArgumentException($"ArgMax: the row of {row.Length} numbers contains NaN.");
                }

                if (max > largest)
                {
                    largest = max;
                    run = start;
                }
            }

            Vector512<float> wanted = Vector512.Create(largest);
            int i = run;
            while (i <= row.Length - 16 && !Vector512.EqualsAny(Vector512.Load(x + i), wanted))
            {
                i += 16;
            }

            while (x[i] != largest)
            {
                i++;
            }

            return i;
        }
    }

    /// <summary>The largest element; NaN if one is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe float MaxOfNumbers(float* x, int n)
    {
        Vector512<float> a = Vector512.Create(float.NegativeInfinity), b = a;
        Vector512<float> strange = default; // bits set where a NaN was, which does not equal itself
        int i = 0;
        for (; i <= n - 32; i += 32)
        {
            Vector512<float> v = Vector512.Load(x + i), w = Vector512.Load(x + i + 16);
            Reductions.Prefetch(x + i + 1024);
            Reductions.Prefetch(x + i + 1040);
            a = Lanes512.Max(a, v);
            b = Lanes512.Max(b, w);
            strange |= ~(Vector512.Equals(v, v) & Vector512.Equals(w, w));
        }

        a = Lanes512.Max(a, b);
        float largest = strange.AsInt32() == default ? float.NegativeInfinity : float.NaN;
        for (int lane = 0; lane < 16; lane++)
        {
            largest = a[lane] > largest ? a[lane] : largest;
        }

        for (; i < n; i++)
        {
            largest = float.IsNaN(x[i]) || x[i] > largest ? x[i] : largest;
        }

        return largest;
    }
}
