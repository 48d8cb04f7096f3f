using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>
/// Operations that are not products, against their roofline: the time of reading and writing their data, measured on arrays of
/// the same sizes between our samples, or of their floating-point operations at the peak, whichever is longer.
/// </summary>
/// <remarks>
/// "Forward and backward" seeds the gradient of the result and adds to a gradient of the input that exists already, as the tape does:
/// with x, y, dy, dx of n numbers that is x→y, seed→dy, and x, dy, dx→dx.
/// </remarks>
internal sealed class OpsSection : ISection
{
    private const double Bar = 1 / 1.3;

    // e^x to float precision: range reduction (4), a polynomial of degree 6 in fused steps (12), scaling (4).
    private const int ExpFlops = 20;

    public string Name => "ops";

    public TimeSpan Typical => TimeSpan.FromSeconds(42);

    public void Run(BenchmarkRun run)
    {
        ResultTable table = run.Table(
            "Operations against their roofline",
            "Ours against the time that reading and writing the data takes (measured with the same sizes, or FLOPs at peak where that is longer; an exponential counts as 20). GB/s count the data once, whatever a kernel moves.",
            "roofline");
        int rows = 512;
        run.Expect(run.Options.Threads.Count * 16);
        foreach (int threads in run.Options.Threads)
        {
            RowOp(run, table, threads, "layer norm", rows, 768, 8, 20, LayerNorm(768));
            RowOp(run, table, threads, "layer norm", rows, 1600, 8, 20, LayerNorm(1600));
            RowOp(run, table, threads, "RMS norm", rows, 4096, 4, 12, RmsNorm(4096));
            RowOp(run, table, threads, "GELU", rows, 3072, 10 + ExpFlops, 20 + ExpFlops, Op.Gelu);
            SequenceLayout layout = new([128, 128, 97, 64, 63, 32]);
            RowOp(run, table, threads, "rope", layout.Rows, 4096, 3, 3, x => Op.Rope(x, layout, 128, 10_000));
            CrossEntropy(run, table, threads, 16);
            CrossEntropy(run, table, threads, 128);
            Adam(run, table, threads, 1_572_864);
            Adam(run, table, threads, 8 << 20);
        }

        Attention(run);
    }

    private static Func<Tensor, Tensor> LayerNorm(int width)
    {
        Tensor gain = Numbers.Random(new Shape(width), 2), bias = Numbers.Random(new Shape(width), 3);
        return x => Op.LayerNorm(x, gain, bias, 1e-5f);
    }

    private static Func<Tensor, Tensor> RmsNorm(int width)
    {
        Tensor gain = Numbers.Random(new Shape(width), 2);
        return x => Op.RmsNorm(x, gain, 1e-5f);
    }

    /// <summary>An op from a matrix to one of the same shape.</summary>
    private static void RowOp(BenchmarkRun run, ResultTable table, int threads, string name, int rows, int width, int flopsForward, int flopsBackward, Func<Tensor, Tensor> op)
    {
        Shape shape = new(rows, width);
        Tensor x = Numbers.Random(shape, 1, 3), y = new(shape), dy = new(shape), dx = new(shape), seed = Numbers.Random(shape, 4);
        double n = (double)rows * width;
        Compare(run, table, $"{name}, forward {rows} × {width}", $"{name}, forward", threads, n * flopsForward, [new([x], y)], () =>
        {
            using Tape tape = Tape.Start(record: false);
            op(x);
        });
        x.RequiresGrad = true;
        Compare(run, table, $"{name}, forward and backward {rows} × {width}", $"{name}, forward and backward", threads, n * (flopsForward + flopsBackward), [new([x], y), new([seed], dy), new([x, dy, dx], dx)], () =>
        {
            using Tape tape = Tape.Start();
            tape.Backward(op(x), seed.Span);
        });
    }

    private static void CrossEntropy(BenchmarkRun run, ResultTable table, int threads, int rows)
    {
        const int Columns = 50257;
        Shape shape = new(rows, Columns);
        Tensor logits = Numbers.Random(shape, 1, 5), dx = new(shape);
        int[] targets = [.. Enumerable.Range(0, rows).Select(r => r * 391 % Columns)];
        double exponentials = (double)rows * Columns * (ExpFlops + 3);
        Compare(run, table, $"cross-entropy, forward {rows} × {Columns}", "cross-entropy, forward", threads, exponentials, [new([logits], null)], () =>
        {
            using Tape tape = Tape.Start(record: false);
            Op.CrossEntropy(logits, targets);
        });
        logits.RequiresGrad = true;
        Compare(run, table, $"cross-entropy, forward and backward {rows} × {Columns}", "cross-entropy, forward and backward", threads, 2 * exponentials, [new([logits], null), new([logits, dx], dx)], () =>
        {
            using Tape tape = Tape.Start();
            tape.Backward(Op.CrossEntropy(logits, targets));
        });
    }

    private static void Adam(BenchmarkRun run, ResultTable table, int threads, int parameters)
    {
        Tensor p = Numbers.Random(new Shape(parameters), 1), g = new(p.Shape), m = new(p.Shape), v = new(p.Shape);
        p.RequiresGrad = true;
        using (Tape tape = Tape.Start())
        {
            tape.Backward(Op.Scale(p, 1e-3f), Numbers.Random(p.Shape, 2).Span); // a gradient to step with
        }

        Adam adam = new([new Parameter("p", p)], new AdamOptions());

        // p, g, m and v are read; p, m and v written.
        Compare(run, table, $"Adam, {parameters:N0} parameters", "Adam", threads, 14.0 * parameters, [new([p, g, m, v], p), new([], m), new([], v)], () => adam.Step());
        p.RequiresGrad = false;
    }

    /// <summary>GPT-2 XL's heads, and LLaMA's with a quarter of key/value heads, over one long sequence, a ragged batch, and the edit loop's.</summary>
    private static void Attention(BenchmarkRun run)
    {
        ResultTable table = run.Table(
            "Attention against its roofline",
            "Ours against the FLOPs of the causal half at peak: 4·D for each pair of positions forward and 10·D backward, and an exponential (20) each way; or the data, if that takes longer. The gradient's seed is copied in, as above.",
            "roofline");
        (string Name, int Heads, int KvHeads, int D, int[] Lengths)[] cases =
        [
            ("25 heads of 64, 4 × 32", 25, 25, 64, [32, 32, 32, 32]),
            ("25 heads of 64, 1 × 512", 25, 25, 64, [512]),
            ("25 heads of 64, ragged 512", 25, 25, 64, [128, 128, 97, 64, 63, 32]),
            ("32 heads of 128, 8 for keys, 1 × 512", 32, 8, 128, [512]),
        ];
        run.Expect(run.Options.Threads.Count * cases.Length * 2);
        foreach (int threads in run.Options.Threads)
        {
            foreach ((string name, int heads, int kvHeads, int d, int[] lengths) in cases)
            {
                SequenceLayout layout = new(lengths);
                double pairs = heads * lengths.Sum(l => l * (l + 1.0) / 2);
                Shape wide = new(layout.Rows, heads * d), narrow = new(layout.Rows, kvHeads * d);
                Tensor q = Numbers.Random(wide, 1), k = Numbers.Random(narrow, 2), v = Numbers.Random(narrow, 3), y = new(wide), dy = new(wide), seed = Numbers.Random(wide, 4);
                Tensor dq = new(wide), dk = new(narrow), dv = new(narrow);
                double forward = pairs * ((4 * d) + ExpFlops), backward = pairs * ((10 * d) + ExpFlops);
                Compare(run, table, $"attention, forward, {name}", "attention, forward", threads, forward, [new([q], y), new([k, v], null)], () =>
                {
                    using Tape tape = Tape.Start(record: false);
                    Op.Attention(q, k, v, heads, kvHeads, layout);
                });
                q.RequiresGrad = k.RequiresGrad = v.RequiresGrad = true;
                Compare(run, table, $"attention, forward and backward, {name}", "attention, forward and backward", threads, forward + backward, [new([q], y), new([k, v], null), new([seed], dy), new([q, dy, y, dq], dq), new([k, dk], dk), new([v, dv], dv)], () =>
                {
                    using Tape tape = Tape.Start();
                    tape.Backward(Op.Attention(q, k, v, heads, kvHeads, layout), seed.Span);
                });
            }
        }
    }

    private static void Compare(BenchmarkRun run, ResultTable table, string name, string kind, int threads, double flops, MemoryPass[] passes, Action ours)
    {
        if (!run.Due(table))
        {
            return;
        }

        CpuThreads.Count = threads;
        void Move()
        {
            foreach (MemoryPass pass in passes)
            {
                pass.Run();
            }
        }

        // The peak is measured in turn as well: a machine whose speed changes is not compared with what it could do at another time.
        double bytes = passes.Sum(p => p.Bytes), arithmetic = flops / run.Machine.Peak(threads);
        bool mayTakeLonger = arithmetic > bytes / run.Machine.Limits[threads].ReadBytes / 4;
        double[] seconds = run.Sampler.Seconds(kind, mayTakeLonger ? [ours, Move, () => PeakArithmetic.Run(Simd.Level)] : [ours, Move]);
        (double time, double memory) = (seconds[0], seconds[1]);
        arithmetic = mayTakeLonger ? flops / (threads * PeakArithmetic.Flops(Simd.Level)) * seconds[2] : arithmetic;
        bool byMemory = memory >= arithmetic;
        double work = 1e-9 * (byMemory ? bytes : flops);
        run.Add(table, new Measurement(name, threads, work / time, work / Math.Max(memory, arithmetic), byMemory ? "GB/s" : "GFLOP/s") { Bar = Math.Round(Bar, 2), Kind = kind });
    }
}
