using System.Diagnostics;
using ElderManaged.Editing;
using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Bench;

/// <summary>What the edit loop cost; times in seconds, medians.</summary>
/// <param name="Batch">One batch from its tokens to the published snapshot.</param>
/// <param name="Iteration">One iteration: forward, backward, step.</param>
/// <param name="IterationProducts">The products with frozen weights of one iteration, done again with nothing around them.</param>
/// <param name="BatchProducts">The same for the whole batch, the prompts' pass through the frozen blocks included.</param>
/// <param name="IterationOperations">Additions and multiplications in these products.</param>
/// <param name="IterationBytes">Bytes of their weights, inputs and results.</param>
/// <param name="AllocatedPerIteration">Managed bytes that one iteration allocates.</param>
/// <param name="Iterations">How many a batch made.</param>
internal sealed record EditBenchResult(
    double Batch, double Iteration, double IterationProducts, double BatchProducts, double IterationOperations, double IterationBytes,
    long AllocatedPerIteration, int Iterations);

/// <summary>Times batches of made-up edits.</summary>
internal sealed class EditBench(TransformerModel model, ElderOptions options, Action<string> progress, CancellationToken cancellationToken)
{
    private const int Edits = 4, WarmUpIterations = 3;
    private readonly RandomSource random = new(7);
    private int facts;

    public int PromptTokens { get; init; } = 28;

    public int TargetTokens { get; init; } = 4;

    /// <summary>The tokens that all iterations of a batch train on, whether they run again in each of them or not.</summary>
    public double TokensOf(int iterations) => (double)iterations * Edits * (PromptTokens + TargetTokens);

    public EditBenchResult Run(int batches)
    {
        progress("warming up");
        Statistics.WarmUp(() => new ElderEditor(model, options with { Iterations = WarmUpIterations }).Edit(NextBatch(), cancellationToken));
        ElderEditor editor = new(model, options);
        if (options.RehearsedRows > 0)
        {
            progress("first batch, not timed: there is nothing to rehearse yet");
            editor.Edit(NextBatch(), cancellationToken);
        }

        double[] batch = new double[batches], products = new double[batches];
        double beforeIterations = 0;
        List<double> iterations = [];
        List<double> allocated = [];
        double operations = 0, bytes = 0;
        for (int b = 0; b < batches; b++)
        {
            progress($"batch {b + 1} of {batches}");
            IReadOnlyList<EncodedEdit> edits = NextBatch();
            IterationWatch watch = new(options.Iterations);
            editor.IterationDone = watch.Done;
            watch.Start();
            batch[b] = editor.Edit(edits, cancellationToken).Seconds;
            editor.IterationDone = null;
            watch.Stop();

            iterations.AddRange(watch.Seconds);
            allocated.AddRange(watch.Allocated);
            products[b] = Statistics.MedianSeconds(() => watch.OneIteration!.Replay(model.Device));
            beforeIterations = b > 0 ? beforeIterations : Statistics.MedianSeconds(() => watch.UntilFirst!.Replay(model.Device)) - products[b];
            (operations, bytes) = (watch.OneIteration!.Operations, watch.OneIteration.Bytes);
        }

        double product = Statistics.Median(products);
        return new EditBenchResult(
            Statistics.Median(batch), Statistics.Median(iterations), product, beforeIterations + (options.Iterations * product), operations, bytes,
            (long)Statistics.Median(allocated), options.Iterations);
    }

    private List<EncodedEdit> NextBatch()
    {
        int[] Draw(int count)
        {
            int[] ids = new int[count];
            for (int i = 0; i < count; i++)
            {
                ids[i] = random.Next(model.Config.VocabSize);
            }

            return ids;
        }

        return [.. Enumerable.Range(0, Edits).Select(_ => new EncodedEdit($"fact {facts++}", Draw(PromptTokens), Draw(TargetTokens), []))];
    }

    /// <summary>Takes the time and the allocation between iterations, and notes the products of what came before the first and of one later on.</summary>
    private sealed class IterationWatch(int iterations)
    {
        private readonly double[] seconds = new double[iterations];
        private readonly long[] bytes = new long[iterations];
        private long time, allocated;
        private int done;
        private ProductLog? open;

        public ProductLog? UntilFirst { get; private set; }

        public ProductLog? OneIteration { get; private set; }

        // From the third on: the first two are what is noted.
        public IEnumerable<double> Seconds => seconds.Skip(2);

        public IEnumerable<double> Allocated => bytes.Skip(2).Select(b => (double)b);

        public void Start() => UntilFirst = open = ProductLog.Start();

        public void Stop() => open?.Dispose();

        public void Done(ElderIteration iteration)
        {
            if (done < iterations)
            {
                seconds[done] = Stopwatch.GetElapsedTime(time).TotalSeconds;
                bytes[done] = GC.GetAllocatedBytesForCurrentThread() - allocated;
                done++;
            }

            if (done <= 2)
            {
                open?.Dispose();
                open = null;
                if (done == 1)
                {
                    OneIteration = open = ProductLog.Start();
                }
            }

            allocated = GC.GetAllocatedBytesForCurrentThread();
            time = Stopwatch.GetTimestamp();
        }
    }
}
