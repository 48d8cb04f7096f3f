using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>Frozen weights in the formats of checkpoints, used without being widened in memory.</summary>
internal sealed class FrozenSection : ISection
{
    private const double MemoryBar = 0.7, SpeedBar = 0.8;
    private static readonly StoredNumbers[] Formats = [StoredNumbers.Float16, StoredNumbers.BFloat16, StoredNumbers.Q8_0, StoredNumbers.Q4_0, StoredNumbers.Q4_1];

    public string Name => "frozen";

    public TimeSpan Typical => TimeSpan.FromSeconds(85);

    public void Run(BenchmarkRun run)
    {
        ResultTable memory = run.Table(
            "Stored formats, 1 and 4 rows",
            "Ours against reading the stored bytes once from end to end; weights of at least 384 MiB in turn, which the last cache does not hold.",
            "memory");
        ResultTable speed = run.Table(
            "Stored formats, many rows",
            "Ours in the stored format against ours in float32.",
            "float32");
        bool quick = run.Options.Quick;
        (int In, int Out)[] shapes = quick ? [(1600, 6400)] : [(1600, 6400), (4096, 11008)];
        int[] few = quick ? [4] : [1, 4], many = quick ? [256] : [64, 256];
        run.Expect(run.Options.Threads.Count * Formats.Length * ((2 * (few.Length + many.Length)) + ((shapes.Length - 1) * few.Length)));
        foreach ((int k, int n) in shapes)
        {
            Tensor dense = Numbers.Random(new Shape(n, k), 1, 0.05f);
            FrozenMatrix wide = FrozenMatrix.FromDense(dense.Span, n, k);
            foreach (StoredNumbers format in Formats)
            {
                byte[] stored = new byte[format.ByteCount((long)n * k)];
                StoredBlocks.Quantize(format, dense.Span, stored);
                FrozenMatrix[] weights = [.. Enumerable.Range(0, MemoryPass.CopiesBeyondCaches(stored.Length)).Select(_ => FrozenMatrix.FromStored(format, stored, n, k))];
                foreach (int threads in run.Options.Threads)
                {
                    // Of the larger layer only what generating needs: the time is limited.
                    bool all = (k, n) == shapes[0];
                    FewRows(run, memory, format, weights, stored.Length, few, threads, gradients: all);
                    ManyRows(run, speed, format, weights[0], wide, all ? many : [], threads);
                }

                // Three quarters of a gigabyte that should be gone before the next format's come.
                weights = [];
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        }
    }

    private static void FewRows(BenchmarkRun run, ResultTable table, StoredNumbers format, FrozenMatrix[] weights, int bytes, int[] rowCounts, int threads, bool gradients)
    {
        (int n, int k) = (weights[0].OutFeatures, weights[0].InFeatures);
        long all = (long)bytes * weights.Length;
        Tensor plain = new(new Shape(checked((int)(all / sizeof(float)))));
        plain.Span.Fill(1); // memory never written to is one shared page of zeros
        MemoryPass read = new([plain], null);
        foreach (int rows in rowCounts)
        {
            Tensor x = Numbers.Random(new Shape(rows, k), 2), y = new(new Shape(rows, n)), dy = Numbers.Random(y.Shape, 3), dx = new(x.Shape);
            Measurement Line(string what) => new($"{format}, {what} {rows} × {k} × {n}", threads, 0, 0, "GB/s") { Bar = MemoryBar, Kind = $"{format}, 1 and 4 rows" };
            run.Measure(table, Line("forward"), 1e-9 * all, () =>
            {
                foreach (FrozenMatrix w in weights)
                {
                    w.Multiply(x.Span, rows, y.Span);
                }
            }, read.Run);
            if (gradients)
            {
                run.Measure(table, Line("input gradient"), 1e-9 * all, () =>
                {
                    foreach (FrozenMatrix w in weights)
                    {
                        w.MultiplyTransposed(dy.Span, rows, dx.Span);
                    }
                }, read.Run);
            }
        }
    }

    private static void ManyRows(BenchmarkRun run, ResultTable table, StoredNumbers format, FrozenMatrix weight, FrozenMatrix wide, int[] rowCounts, int threads)
    {
        (int n, int k) = (weight.OutFeatures, weight.InFeatures);
        foreach (int rows in rowCounts)
        {
            Tensor x = Numbers.Random(new Shape(rows, k), 2), y = new(new Shape(rows, n)), dy = Numbers.Random(y.Shape, 3), dx = new(x.Shape);
            double work = 2e-9 * rows * n * k;
            Measurement Line(string what) => new($"{format}, {what} {rows} × {k} × {n}", threads, 0, 0, "GFLOP/s") { Bar = SpeedBar, Kind = $"{format}, many rows" };
            run.Measure(table, Line("forward"), work, () => weight.Multiply(x.Span, rows, y.Span), () => wide.Multiply(x.Span, rows, y.Span));
            run.Measure(table, Line("input gradient"), work, () => weight.MultiplyTransposed(dy.Span, rows, dx.Span), () => wide.MultiplyTransposed(dy.Span, rows, dx.Span));
        }
    }
}
