using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>Losses of a model's head and their gradient, in one reading of its weight against product, cross-entropy and product.</summary>
internal sealed class HeadSection : ISection
{
    private const int Vocabulary = 50257;

    public string Name => "head";

    public TimeSpan Typical => TimeSpan.FromSeconds(12);

    public void Run(BenchmarkRun run)
    {
        ResultTable table = run.Table(
            "Losses of a head",
            "A frozen projection to 50,257 outputs and the cross-entropy of its rows, forward and backward: in one reading of the weight, as training does it, against our product, cross-entropy and input gradient one after the other. Weights of at least 384 MiB in turn.",
            "apart");
        (int Width, int Rows)[] cases = [(768, 16), (768, 64), (1600, 16)];
        run.Expect(run.Options.Threads.Count * cases.Length);
        foreach (IGrouping<int, int> rowsOfWidth in cases.GroupBy(c => c.Width, c => c.Rows))
        {
            int width = rowsOfWidth.Key;
            Tensor w = Numbers.Random(new Shape(Vocabulary, width), 2, 0.05f);
            FrozenMatrix[] weights = [.. Enumerable.Range(0, MemoryPass.CopiesBeyondCaches(w.Length * (long)sizeof(float))).Select(_ => FrozenMatrix.FromDense(w.Span, Vocabulary, width))];
            foreach (int threads in run.Options.Threads)
            {
                foreach (int rows in rowsOfWidth)
                {
                    Compare(run, table, weights, threads, rows);
                }
            }
        }
    }

    private static void Compare(BenchmarkRun run, ResultTable table, FrozenMatrix[] weights, int threads, int rows)
    {
        int width = weights[0].InFeatures, next = 0;
        Tensor x = Numbers.Random(new Shape(rows, width), 1);
        x.RequiresGrad = true;
        int[] targets = [.. Enumerable.Range(0, rows).Select(r => r * 391 % Vocabulary)];
        void Pass(Func<FrozenMatrix, Tensor> loss)
        {
            using Tape tape = Tape.Start();
            tape.Backward(loss(weights[next++ % weights.Length]));
        }

        run.Measure(
            table,
            new Measurement($"losses and gradient, {rows} × {width} × {Vocabulary}", threads, 0, 0, "rows/s") { Kind = "losses of a head" },
            rows,
            () => Pass(weight => Op.Mean(Op.LinearCrossEntropy(x, weight, targets))),
            () => Pass(weight => Op.CrossEntropy(Op.Linear(x, weight, null), targets, overwriteLogits: true)));
    }
}
