using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>
/// Products against the arithmetic peak at every vector width: what a machine without the widest one would reach. A width is
/// chosen when a process starts, so the narrower ones are measured by this program started again.
/// </summary>
internal sealed class PeakSection : ISection
{
    private const double Bar = 0.85;

    public string Name => "peak";

    public TimeSpan Typical => TimeSpan.FromSeconds(30);

    public void Run(BenchmarkRun run)
    {
        ResultTable table = run.Table(
            "Products at every vector width",
            $"Forward products of 256 rows against fused multiply-adds that never leave the registers, both at the width named (`{SimdVariable}`). The bar is the one for machines without AVX-512.",
            "peak");
        MeasureLevel(run, table);
        if (Environment.GetEnvironmentVariable(SimdVariable) is { Length: > 0 })
        {
            return; // somebody chose a width: that one only
        }

        foreach ((string name, SimdLevel level) in new[] { ("avx2", SimdLevel.Vector256), ("vector128", SimdLevel.Vector128), ("scalar", SimdLevel.Scalar) })
        {
            if (level < Simd.Level && run.Due(table))
            {
                run.Expect(1);
                try
                {
                    foreach (Measurement line in Child.Measure(SimdVariable, name, Name, run))
                    {
                        run.Add(table, line with { Bar = level == SimdLevel.Vector256 ? Bar : null, Kind = Kind(level) });
                    }
                }
                catch (ChildFailedException e)
                {
                    table.Notes.Add($"Left out: {e.Message}");
                }
            }
        }
    }

    private const string SimdVariable = "ELDER_SIMD";

    private static string Kind(SimdLevel level) => $"product, {level}";

    private static void MeasureLevel(BenchmarkRun run, ResultTable table)
    {
        (int In, int Out)[] shapes = Simd.Level < SimdLevel.Vector256 ? [(768, 3072)] : [(768, 3072), (1600, 6400), (4096, 11008)];
        run.Expect(run.Options.Threads.Count * shapes.Length);
        foreach ((int k, int n) in shapes)
        {
            int rows = 256;
            FrozenMatrix weight = FrozenMatrix.FromDense(Numbers.Random(new Shape(n, k)).Span, n, k);
            Tensor x = Numbers.Random(new Shape(rows, k), 2), y = new(new Shape(rows, n));
            foreach (int threads in run.Options.Threads)
            {
                if (!run.Due(table))
                {
                    return;
                }

                CpuThreads.Count = threads;
                (double time, double peak) = run.Sampler.Seconds(Kind(Simd.Level), () => weight.Multiply(x.Span, rows, y.Span), () => PeakArithmetic.Run(Simd.Level));
                double work = 2e-9 * rows * n * k, most = 1e-9 * threads * PeakArithmetic.Flops(Simd.Level);
                run.Add(table, new Measurement($"{Simd.Level}, forward {rows} × {k} × {n}", threads, work / time, most / peak, "GFLOP/s")
                {
                    Bar = Simd.Level == SimdLevel.Vector256 ? Bar : null, Kind = Kind(Simd.Level),
                });
            }
        }
    }
}
