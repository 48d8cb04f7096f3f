using BenchmarkDotNet.Attributes;
using ElderManaged.Benchmarks.Sections;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Exact;

/// <summary>Causal attention with GPT-2 XL's heads, forward and backward.</summary>
[MemoryDiagnoser]
public class AttentionBenchmarks
{
    private const int Heads = 25, HeadWidth = 64;
    private Tensor q = null!, k = null!, v = null!, seed = null!;
    private SequenceLayout layout = null!;

    [Params("32 32 32 32", "512", "128 128 97 64 63 32")]
    public string Lengths { get; set; } = "";

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        CpuThreads.Count = Threads;
        layout = new SequenceLayout([.. Lengths.Split(' ').Select(int.Parse)]);
        Shape shape = new(layout.Rows, Heads * HeadWidth);
        (q, k, v, seed) = (Numbers.Random(shape, 1), Numbers.Random(shape, 2), Numbers.Random(shape, 3), Numbers.Random(shape, 4));
        q.RequiresGrad = k.RequiresGrad = v.RequiresGrad = true;
    }

    [Benchmark]
    public void Forward()
    {
        using Tape tape = Tape.Start(record: false);
        Op.Attention(q, k, v, Heads, Heads, layout);
    }

    [Benchmark]
    public void ForwardAndBackward()
    {
        using Tape tape = Tape.Start();
        tape.Backward(Op.Attention(q, k, v, Heads, Heads, layout), seed.Span);
    }
}
