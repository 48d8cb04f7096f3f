using System.Globalization;
using System.Runtime.InteropServices;
using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Results;

/// <summary>The machine and its limits, measured at the start: what the tables compare with where there is no peer.</summary>
/// <param name="Processor">Its name, from the operating system.</param>
/// <param name="Limits">For each number of threads in use.</param>
internal sealed record Machine(string Processor, IReadOnlyDictionary<int, MachineLimits> Limits)
{
    /// <summary>Floating-point operations a second at the vector width in use.</summary>
    public double Peak(int threads) => Limits[threads].Flops;

    public string Sentence() => string.Create(
        CultureInfo.InvariantCulture,
        $"Machine: {Processor}, {Environment.ProcessorCount} cores, {Simd.Level}, {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}. ") +
        string.Join(' ', Limits.Select(l => string.Create(
            CultureInfo.InvariantCulture,
            $"With {l.Key} thread{(l.Key == 1 ? "" : "s")}: {l.Value.Flops / 1e9:0} GFLOP/s of fused multiply-adds in registers, {l.Value.ReadBytes / 1e9:0.0} GB/s read, {l.Value.CopyBytes / 1e9:0.0} GB/s copied (read and written counted).")));

    /// <summary>The processor's name, or its architecture where the system does not tell.</summary>
    public static string ProcessorName()
    {
        const string CpuInfo = "/proc/cpuinfo";
        if (File.Exists(CpuInfo))
        {
            string? line = File.ReadLines(CpuInfo).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
            if (line is not null)
            {
                return line[(line.IndexOf(':') + 1)..].Trim();
            }
        }

        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    /// <summary>Measures everything; takes about three seconds.</summary>
    /// <param name="threads">The numbers of threads that will be used.</param>
    /// <param name="sampler">Times it.</param>
    public static Machine Measure(IEnumerable<int> threads, Sampler sampler)
    {
        const int Floats = 48 * 1024 * 1024; // 192 MiB each: far beyond the second-level caches
        Tensor from = new(new Shape(Floats)), to = new(new Shape(Floats));
        from.Span.Fill(1);
        MemoryPass read = new([from], null), copy = new([from], to);
        Dictionary<int, MachineLimits> limits = [];
        foreach (int count in threads)
        {
            CpuThreads.Count = count;
            double flops = count * PeakArithmetic.Flops(Simd.Level) / sampler.Seconds(() => PeakArithmetic.Run(Simd.Level));
            (double readTime, double copyTime) = sampler.Seconds("memory", read.Run, copy.Run);
            limits[count] = new MachineLimits(flops, read.Bytes / readTime, copy.Bytes / copyTime);
        }

        return new Machine(ProcessorName(), limits);
    }
}

/// <summary>What the machine can do at most with a number of threads, each a second.</summary>
/// <param name="Flops">Fused multiply-adds that stay in registers, two operations each.</param>
/// <param name="ReadBytes">Reading an array much larger than the second-level cache.</param>
/// <param name="CopyBytes">Reading one such array and writing another, both counted.</param>
internal sealed record MachineLimits(double Flops, double ReadBytes, double CopyBytes);
