using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Bench;

/// <summary>How fast this machine reads memory in order with the threads in use.</summary>
internal static class ReadBandwidth
{
    private const int PartLength = 1 << 18; // 1 MiB of floats for a thread at a time
    private const long LeastBytes = 64L << 20;
    private const int MostFloats = 1 << 29; // 2 GiB: far beyond any cache
    private const int Rounds = 7;

    /// <summary>Bytes a second, the median of several passes.</summary>
    /// <param name="bytes">How much is read in a pass: as much as is to be compared, because the last cache may hold a part of it.</param>
    public static double Measure(double bytes)
    {
        float[] numbers = new float[(int)Math.Min(Math.Max(bytes, LeastBytes) / sizeof(float), MostFloats)];
        int parts = (numbers.Length + PartLength - 1) / PartLength;
        float[] sums = new float[parts * 16]; // a cache line each
        numbers.AsSpan().Fill(1);
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

    private static float Sum(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        int i = 0;
        for (; i <= vectors.Length - 8; i += 8)
        {
            a += vectors[i];
            b += vectors[i + 1];
            c += vectors[i + 2];
            d += vectors[i + 3];
            e += vectors[i + 4];
            f += vectors[i + 5];
            g += vectors[i + 6];
            h += vectors[i + 7];
        }

        return Vector.Sum(a + b + c + d + e + f + g + h);
    }
}
