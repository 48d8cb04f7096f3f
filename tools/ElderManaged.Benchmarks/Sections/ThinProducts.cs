using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Onnx;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>
/// The products of a LoRA: x·Aᵀ down to the rank, h·B up again, and A's gradient dhᵀ·x. Each takes only microseconds, so
/// sixteen of them with different matrices, each writing to the same result, are one call of either side.
/// </summary>
internal sealed class ThinProducts(BenchmarkRun run)
{
    private const int Repeats = 16;
    private const double Bar = 0.9;

    public void Run()
    {
        bool quick = run.Options.Quick;
        ResultTable table = run.Table(
            "Products of LoRA",
            $"Ours (plain products: LoRAs are trained, so nothing is packed beforehand) against ONNX Runtime's MatMul, which has A and B as packed constants for down and up. {Repeats} products in a call of either side. The bar is for 64 rows and more.",
            "ONNX Runtime");
        (int In, int Rank, int Out)[] layers = quick ? [(1600, 8, 6400)] : [(768, 8, 3072), (1600, 2, 6400), (1600, 8, 6400), (1600, 16, 6400)];
        foreach ((int input, int rank, int output) in layers)
        {
            Tensor a = Numbers.Random(new Shape(Repeats, rank * input), 4, 0.1f), b = Numbers.Random(new Shape(Repeats, rank * output), 5, 0.1f);
            foreach (int threads in run.Options.Threads)
            {
                foreach (int rows in (int[])[64, 256])
                {
                    if (!run.Due(table))
                    {
                        return;
                    }

                    Measure(table, a, b, (input, rank, output), rows, threads);
                }
            }
        }
    }

    private void Measure(ResultTable table, Tensor a, Tensor b, (int In, int Rank, int Out) layer, int rows, int threads)
    {
        (int input, int rank, int output) = layer;
        Tensor x = Numbers.Random(new Shape(rows, input), 6), h = Numbers.Random(new Shape(rows, rank), 7);
        Measurement Line(string what, int k, int n) => new($"LoRA {what} {rows} × {k} × {n}", threads, 0, 0, "GFLOP/s") { Bar = rows >= 64 ? Bar : null, Kind = $"product, LoRA {what}" };

        // Down: (rows, in)·(rank, in)ᵀ
        Tensor hs = new(new Shape(rows, rank));
        using (OnnxPeer peer = new(PeerProducts.WithConstants([.. Enumerable.Range(0, Repeats).Select(i => (ReadOnlyMemory<float>)Numbers.Transpose(new Tensor(new Shape(rank, input), a.Row(i))).Memory)], input, rank), threads))
        {
            Compare(table, Line("down", input, rank), 2e-9 * Repeats * rows * input * rank, peer, [x], hs, i =>
                Gemm.Multiply(false, true, rows, rank, input, x.Span, input, a.Row(i), input, hs.Span, rank));
        }

        // Up: (rows, rank)·(rank, out)
        Tensor ys = new(new Shape(rows, output));
        using (OnnxPeer peer = new(PeerProducts.WithConstants([.. Enumerable.Range(0, Repeats).Select(i => (ReadOnlyMemory<float>)b.Memory.Slice(i * rank * output, rank * output))], rank, output), threads))
        {
            Compare(table, Line("up", rank, output), 2e-9 * Repeats * rows * output * rank, peer, [h], ys, i =>
                Gemm.Multiply(false, false, rows, output, rank, h.Span, rank, b.Row(i), output, ys.Span, output));
        }

        // The gradient of A: (rows, rank)ᵀ·(rows, in)
        Tensor das = new(new Shape(rank, input));
        Tensor transposed = Numbers.Transpose(h);
        using (OnnxPeer peer = new(PeerProducts.OfInputs(Repeats), threads))
        {
            Compare(table, Line("gradient of A", rows, input) with { Name = $"LoRA gradient of A {rank} × {rows} × {input}" }, 2e-9 * Repeats * rows * input * rank, peer, [.. Enumerable.Range(0, 2 * Repeats).Select(i => i % 2 == 0 ? transposed : x)], das, i =>
                Gemm.Multiply(true, false, rank, input, rows, h.Span, rank, x.Span, input, das.Span, input));
        }
    }

    private void Compare(ResultTable table, Measurement line, double work, OnnxPeer peer, Tensor[] inputs, Tensor result, Action<int> product)
    {
        // The peer takes the products in an order of its own: the last one, which is compared, has its result to itself.
        Tensor theirs = new(result.Shape), others = new(result.Shape);
        for (int i = 0; i < inputs.Length; i++)
        {
            peer.BindInput($"x{i}", inputs[i]);
        }

        for (int i = 0; i < Repeats; i++)
        {
            peer.BindOutput($"y{i}", i == Repeats - 1 ? theirs : others);
        }

        void Ours()
        {
            for (int i = 0; i < Repeats; i++)
            {
                product(i);
            }
        }

        CpuThreads.Count = line.Threads;
        Ours();
        peer.Run();
        Numbers.RequireSame(line.Name, result.Span, theirs.Span, 1e-4);
        run.Measure(table, line, work, Ours, peer.Run);
    }
}
