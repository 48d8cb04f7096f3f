using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Onnx;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>
/// Matrix products in float32: many rows against ONNX Runtime, few rows against the memory that has to be read or written.
/// </summary>
internal sealed class ProductsSection : ISection
{
    private const double Bar = 0.9, MemoryBar = 0.8;

    // In × Out of layers of GPT-2, GPT-2 XL and LLaMA 2, and GPT-2's output layer.
    private static readonly (int In, int Out)[] Shapes = [(768, 3072), (1600, 6400), (1600, 1600), (4096, 11008), (768, 50257)];
    private static readonly (int In, int Out)[] QuickShapes = [(768, 3072), (1600, 6400)];

    private readonly Room results = new(), peersResults = new(), memory = new();

    public string Name => "products";

    public TimeSpan Typical => TimeSpan.FromSeconds(190);

    public void Run(BenchmarkRun run)
    {
        bool quick = run.Options.Quick;
        (int In, int Out)[] shapes = quick ? QuickShapes : Shapes;
        int[] many = quick ? [64, 256] : [16, 64, 128, 256, 512];
        int[] few = [1, 4];
        ResultTable peers = run.Table(
            "Products, many rows",
            "Ours against ONNX Runtime's MatMul with as many threads. Forward x·Wᵀ and input gradient dy·W: frozen packed W against a constant of the peer's. Weight gradient dyᵀ·x: two variable inputs, the peer's already transposed. The bar is for 64 rows and more.",
            "ONNX Runtime");
        ResultTable fewRows = run.Table(
            "Products, 1 and 4 rows",
            "Ours against reading W once (forward, input gradient) or writing dW once (weight gradient) from end to end. Weights of at least 384 MiB in turn, as a model has them, which the last cache does not hold. What is read beside them is an array as .NET has it; weights lie on huge pages where the system gives them.",
            "memory");
        run.Expect(run.Options.Threads.Count * ((shapes.Length * 3 * (many.Length + few.Length)) + (quick ? 6 : 24)));
        foreach ((int input, int output) in shapes)
        {
            using Operands layer = new(input, output);
            FewRows(run, fewRows, layer, few);
            ManyRows(run, peers, layer, many);
        }

        new ThinProducts(run).Run();
    }

    private void ManyRows(BenchmarkRun run, ResultTable table, Operands layer, int[] rowCounts)
    {
        (int n, int k) = (layer.Out, layer.In);
        foreach (int threads in run.Options.Threads)
        {
            using OnnxPeer forward = new(PeerProducts.WithConstants([layer.Transposed.Memory], k, n), threads);
            using OnnxPeer gradient = new(PeerProducts.WithConstants([layer.Dense.Memory], n, k), threads);
            using OnnxPeer weight = new(PeerProducts.OfInputs(1), threads);
            foreach (int rows in rowCounts)
            {
                if (!run.Due(table))
                {
                    return;
                }

                double work = 2e-9 * rows * n * k;
                double? bar = rows >= 64 ? Bar : null;
                string few = rows >= 64 ? "rows ≥ 64" : "16 rows";
                Tensor x = Numbers.Random(new Shape(rows, k), 2), dy = Numbers.Random(new Shape(rows, n), 3);
                Measurement Line(string what) => new($"{what} {rows} × {k} × {n}", threads, 0, 0, "GFLOP/s") { Bar = bar, Kind = $"product, {what}, {few}" };

                Tensor y = results.Of(new Shape(rows, n));
                Compare(run, table, Line("forward"), work, forward, [x], y, () => layer.Frozen.Multiply(x.Span, rows, y.Span));
                Tensor dx = results.Of(new Shape(rows, k));
                Compare(run, table, Line("input gradient"), work, gradient, [dy], dx, () => layer.Frozen.MultiplyTransposed(dy.Span, rows, dx.Span));
                Tensor dw = results.Of(new Shape(n, k));
                Compare(run, table, Line("weight gradient"), work, weight, [Numbers.Transpose(dy), x], dw, () =>
                    Gemm.Multiply(true, false, n, k, rows, dy.Span, n, x.Span, k, dw.Span, k));
            }
        }
    }

    /// <summary>Binds the peer, checks that both sides agree, and measures.</summary>
    private void Compare(BenchmarkRun run, ResultTable table, Measurement line, double work, OnnxPeer peer, Tensor[] inputs, Tensor result, Action ours)
    {
        Tensor theirs = peersResults.Of(result.Shape);
        peer.Unbind();
        for (int i = 0; i < inputs.Length; i++)
        {
            peer.BindInput($"x{i}", inputs[i]);
        }

        peer.BindOutput("y0", theirs);
        CpuThreads.Count = line.Threads;
        ours();
        peer.Run();
        Numbers.RequireSame(line.Name, result.Span, theirs.Span, 1e-4);
        run.Measure(table, line, work, ours, peer.Run);
    }

    private void FewRows(BenchmarkRun run, ResultTable table, Operands layer, int[] rowCounts)
    {
        (int n, int k) = (layer.Out, layer.In);
        int copies = MemoryPass.CopiesBeyondCaches((long)n * k * sizeof(float));
        FrozenMatrix[] weights = [layer.Frozen, .. Enumerable.Range(1, copies - 1).Select(_ => FrozenMatrix.FromDense(layer.Dense.Span, n, k))];
        Tensor all = memory.Of(new Shape(copies, n * k));
        all.Span.Fill(1); // memory never written to is one shared page of zeros
        MemoryPass read = new([all], null), write = new([], all);
        double bytes = 1e-9 * sizeof(float) * n * k * copies;
        foreach (int threads in run.Options.Threads)
        {
            foreach (int rows in rowCounts)
            {
                if (!run.Due(table))
                {
                    return;
                }

                Tensor x = Numbers.Random(new Shape(rows, k), 2), y = Numbers.Random(new Shape(rows, n), 3);
                Measurement Line(string what) => new($"{what} {rows} × {k} × {n}", threads, 0, 0, "GB/s") { Bar = MemoryBar, Kind = $"product, {what}, 1 and 4 rows" };
                run.Measure(table, Line("forward"), bytes, () =>
                {
                    foreach (FrozenMatrix w in weights)
                    {
                        w.Multiply(x.Span, rows, y.Span);
                    }
                }, read.Run);
                run.Measure(table, Line("input gradient"), bytes, () =>
                {
                    foreach (FrozenMatrix w in weights)
                    {
                        w.MultiplyTransposed(y.Span, rows, x.Span);
                    }
                }, read.Run);
                Numbers.Fill(y.Span, 3, 1);
                Numbers.Fill(x.Span, 2, 1);
                run.Measure(table, Line("weight gradient"), bytes, () =>
                {
                    for (int copy = 0; copy < copies; copy++)
                    {
                        Gemm.Multiply(true, false, n, k, rows, y.Span, n, x.Span, k, all.Row(copy), k);
                    }
                }, write.Run);
            }
        }
    }

    /// <summary>One layer's weight in the forms that both sides want.</summary>
    private sealed class Operands : IDisposable
    {
        public Operands(int input, int output)
        {
            (In, Out) = (input, output);
            Dense = Numbers.Random(new Shape(output, input), 1, 0.05f);
            Transposed = Numbers.Transpose(Dense);
            Frozen = FrozenMatrix.FromDense(Dense.Span, output, input);
        }

        public int In { get; }

        public int Out { get; }

        public Tensor Dense { get; }

        public Tensor Transposed { get; }

        public FrozenMatrix Frozen { get; }

        // Half a gigabyte that should be gone before the next layer's comes.
        public void Dispose()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
