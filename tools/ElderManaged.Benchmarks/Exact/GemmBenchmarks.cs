using BenchmarkDotNet.Attributes;
using ElderManaged.Benchmarks.Sections;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Exact;

/// <summary>The three products of a layer, with BenchmarkDotNet's statistics.</summary>
[MemoryDiagnoser]
public class GemmBenchmarks
{
    private Tensor x = null!, dy = null!, y = null!, dx = null!, dw = null!;
    private FrozenMatrix weight = null!;

    [Params(1, 64, 256)]
    public int Rows { get; set; }

    [Params("768x3072", "1600x6400")]
    public string Layer { get; set; } = "";

    [Params(1, 2)]
    public int Threads { get; set; }

    private int In => int.Parse(Layer.Split('x')[0]);

    private int Out => int.Parse(Layer.Split('x')[1]);

    [GlobalSetup]
    public void Setup()
    {
        CpuThreads.Count = Threads;
        Tensor dense = Numbers.Random(new Shape(Out, In), 1);
        weight = FrozenMatrix.FromDense(dense.Span, Out, In);
        (x, dy) = (Numbers.Random(new Shape(Rows, In), 2), Numbers.Random(new Shape(Rows, Out), 3));
        (y, dx, dw) = (new Tensor(dy.Shape), new Tensor(x.Shape), new Tensor(dense.Shape));
    }

    [Benchmark(Description = "x·Wᵀ, frozen")]
    public void Forward() => weight.Multiply(x.Span, Rows, y.Span);

    [Benchmark(Description = "dy·W, frozen")]
    public void InputGradient() => weight.MultiplyTransposed(dy.Span, Rows, dx.Span);

    [Benchmark(Description = "dyᵀ·x")]
    public void WeightGradient() => Gemm.Multiply(true, false, Out, In, Rows, dy.Span, Out, x.Span, In, dw.Span, In);
}
