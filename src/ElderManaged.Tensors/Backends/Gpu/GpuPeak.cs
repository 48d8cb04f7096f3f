using System.Diagnostics;
using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>Measures what a GPU does when nothing holds it up: multiply-adds in registers, and copies of its memory.</summary>
internal static class GpuPeak
{
    private const int GroupSize = 256, Chains = 8, Rounds = 512, Measurements = 5;
    private const int GroupsOfAProcessor = 16; // more than reside there at once, so that none waits for work
    private const int CopiedFloats = 1 << 24; // 64 MiB, more than a GPU's cache holds
    private static readonly GpuKernel<Arguments> Kernel = new(MultiplyAdd);

    public static double OperationsPerSecond(GpuDevice gpu)
    {
        int groups = GroupsOfAProcessor * Math.Max(1, gpu.Accelerator.NumMultiprocessors);
        Tensor sums = new(new Shape(groups * GroupSize));
        double seconds = Median(gpu, () => Kernel.Launch(gpu, groups, GroupSize, new Arguments { Sums = gpu.Write(sums), Factor = 0.999f, Summand = 0.001f }));
        return 2.0 * Chains * Rounds * groups * GroupSize / seconds;
    }

    public static double BytesPerSecond(GpuDevice gpu)
    {
        int length = (int)Math.Min(CopiedFloats, gpu.Report.MemoryBytes / (8 * sizeof(float)));
        Tensor from = new(new Shape(length)), to = new(new Shape(length));
        double seconds = Median(gpu, () => gpu.Copy(gpu.Read(from), gpu.Write(to)));
        return 2.0 * sizeof(float) * length / seconds;
    }

    // Independent chains, enough to hide how long one multiply-add takes.
    private static void MultiplyAdd(Arguments a)
    {
        float s = Group.IdxX, f = a.Factor, c = a.Summand;
        float s0 = s, s1 = s + 1, s2 = s + 2, s3 = s + 3, s4 = s + 4, s5 = s + 5, s6 = s + 6, s7 = s + 7;
        for (int round = 0; round < Rounds; round++)
        {
            s0 = GpuMath.Fma(s0, f, c);
            s1 = GpuMath.Fma(s1, f, c);
            s2 = GpuMath.Fma(s2, f, c);
            s3 = GpuMath.Fma(s3, f, c);
            s4 = GpuMath.Fma(s4, f, c);
            s5 = GpuMath.Fma(s5, f, c);
            s6 = GpuMath.Fma(s6, f, c);
            s7 = GpuMath.Fma(s7, f, c);
        }

        a.Sums[(Grid.IdxX * GroupSize) + Group.IdxX] = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
    }

    private static double Median(GpuDevice gpu, Action action)
    {
        action();
        gpu.Synchronize();
        double[] seconds = new double[Measurements];
        for (int i = 0; i < Measurements; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            gpu.Synchronize();
            seconds[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Array.Sort(seconds);
        return seconds[Measurements / 2];
    }

    internal struct Arguments
    {
        public ArrayView<float> Sums;
        public float Factor, Summand;
    }
}
