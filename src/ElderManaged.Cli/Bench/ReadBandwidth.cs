using System.Diagnostics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Bench;

/// <summary>How fast this machine reads memory in order with the threads in use.</summary>
internal sealed class ReadBandwidth
{
    private const int PartLength = 1 << 18; // 1 MiB of floats for a thread at a time
    private const long LeastBytes = 64L << 20;
    private const int MostFloats = 1 << 27; // 512 MiB: beyond any cache
    private const int Rounds = 9;

    private readonly float[] numbers, sums;
    private readonly int parts;

    /// <param name="bytes">How much is read in a pass: as much as is to be compared, because the last cache may hold a part of it.</param>
    public ReadBandwidth(double bytes)
    {
        numbers = new float[(int)Math.Min(Math.Max(bytes, LeastBytes) / sizeof(float), MostFloats)];
        parts = (numbers.Length + PartLength - 1) / PartLength;
        sums = new float[parts * 16]; // a cache line each
        numbers.AsSpan().Fill(1);
    }

    /// <summary>Bytes a second, the median of several passes.</summary>
    public double Measure()
    {
        double[] seconds = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            CpuThreads.Run(parts, (numbers, sums), static (s, part) =>
            {
                int first = part * PartLength;
                s.sums[part * 16] = Sum(s.numbers.AsSpan(first, Math.Min(PartLength, s.numbers.Length - first)));
            });
            seconds[round] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        return numbers.Length * (double)sizeof(float) / Statistics.Median(seconds);
    }

    // Several cache lines in flight on each of four streams, and the next page's lines asked for ahead: what reads fastest here.
    private static unsafe float Sum(ReadOnlySpan<float> values)
    {
        const int Ahead = 4096 / sizeof(float);
        int quarter = values.Length / 64 * 16;
        Vector512<float> a = default, b = default, c = default, d = default;
        fixed (float* start = values)
        {
            for (float* p = start, end = start + quarter; p < end; p += 16)
            {
                if (Sse.IsSupported)
                {
                    Sse.Prefetch0(p + Ahead);
                    Sse.Prefetch0(p + quarter + Ahead);
                    Sse.Prefetch0(p + (2 * quarter) + Ahead);
                    Sse.Prefetch0(p + (3 * quarter) + Ahead);
                }

                a += Vector512.Load(p);
                b += Vector512.Load(p + quarter);
                c += Vector512.Load(p + (2 * quarter));
                d += Vector512.Load(p + (3 * quarter));
            }
        }

        return Vector512.Sum(a + b + c + d);
    }
}
