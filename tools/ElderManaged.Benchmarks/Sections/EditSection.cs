using System.Globalization;
using System.Text.Json;
using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>
/// The edit loop on GPT-2's and GPT-2 XL's sizes, with <c>elder bench edit</c>: against its own products alone, and against the same
/// loop in libtorch.
/// </summary>
internal sealed class EditSection : ISection
{
    private const int Iterations = 50, Edits = 4;
    private const double ProductsBar = 1 / 1.25, LibtorchBar = 6;

    // Seconds that libtorch's loop took for a batch of 4 edits of 32 tokens and 50 iterations with the paper's settings, with one and two
    // threads, measured before on such a machine (2 cores with AVX-512).
    private static readonly (string Shape, double[] Libtorch)[] Shapes = [("gpt2", [44, 32]), ("gpt2-xl", [359, 227])];

    public string Name => "edit";

    public TimeSpan Typical => TimeSpan.FromSeconds(95);

    public void Run(BenchmarkRun run)
    {
        ResultTable products = run.Table(
            "Edit loop and its products",
            "A batch of 4 edits of 28 prompt and 4 target tokens: one iteration (forward, backward, step) against the matrix products in it done alone. Random weights, `elder bench edit`.",
            "products");
        ResultTable libtorch = run.Table(
            "Edit loop and libtorch",
            $"A batch of {Iterations} iterations against the same loop in libtorch with the paper's settings, measured before on such a machine (205 to 220 GFLOP/s at peak with one thread), not now: what this machine reaches is said above. The bar is for the paper's preset; ours leaves out what comes before the last prompt token.",
            "libtorch, then");
        bool quick = run.Options.Quick;
        run.Expect(2 * run.Options.Threads.Count * 2 * (quick ? 1 : Shapes.Length));
        foreach ((string shape, double[] seconds) in quick ? Shapes[..1] : Shapes)
        {
            if (!run.Due(products))
            {
                return;
            }

            // Whole batches would take minutes: some iterations of one batch or several are measured, the products alone after each batch.
            (int iterations, int batches) = shape != "gpt2" ? (5, 1) : quick ? (6, 1) : (7, 3);
            try
            {
                Child.ElderBench(
                    run,
                    ["edit", "--shape", shape, "--preset", "paper,elder", "--iterations", iterations.ToString(CultureInfo.InvariantCulture), "--batches", batches.ToString(CultureInfo.InvariantCulture)],
                    result => Add(run, products, libtorch, shape, seconds, result));
                libtorch.Notes.Add($"{shape}: {iterations} iterations of {(batches == 1 ? "one batch" : $"{batches} batches")} were measured, the other {Iterations - iterations} of a batch reckoned with the median of these.");
            }
            catch (ChildFailedException e)
            {
                products.Notes.Add($"Left out: {e.Message}");
            }
        }
    }

    private static void Add(BenchmarkRun run, ResultTable products, ResultTable libtorch, string shape, double[] libtorchSeconds, JsonElement result)
    {
        string preset = result.GetProperty("preset").GetString()!;
        int threads = result.GetProperty("threads").GetInt32();
        double iteration = result.GetProperty("secondsPerIteration").GetDouble();
        run.Add(products, new Measurement($"edit iteration, {shape}, {preset}", threads, 1 / iteration, 1 / result.GetProperty("iterationProductSeconds").GetDouble(), "iterations/s")
        {
            Bar = ProductsBar, Kind = "edit loop",
        });
        if (threads <= libtorchSeconds.Length)
        {
            double batch = result.GetProperty("secondsPerBatch").GetDouble() + ((Iterations - result.GetProperty("iterations").GetInt32()) * iteration);
            run.Add(libtorch, new Measurement($"edits, {shape}, {preset}", threads, Edits / batch, Edits / libtorchSeconds[threads - 1], "edits/s")
            {
                Bar = preset == "paper" ? LibtorchBar : null, Kind = $"edit loop, {preset}",
            });
        }
    }
}
