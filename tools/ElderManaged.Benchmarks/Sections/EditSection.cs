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

    public TimeSpan Typical => TimeSpan.FromSeconds(140);

    public void Run(BenchmarkRun run)
    {
        ResultTable products = run.Table(
            "Edit loop and its products",
            "A batch of 4 edits of 28 prompt and 4 target tokens: one iteration (forward, backward, step) against the matrix products in it done alone. Random weights, `elder bench edit`.",
            "products");
        ResultTable libtorch = run.Table(
            "Edit loop and libtorch",
            $"A batch of {Iterations} iterations against the same loop in libtorch with the paper's settings, measured before on such a machine, not now. The bar is for the paper's preset; ours leaves out what comes before the last prompt token.",
            "libtorch, then");
        bool quick = run.Options.Quick;
        run.Expect(2 * run.Options.Threads.Count * 2 * (quick ? 1 : Shapes.Length));
        foreach ((string shape, double[] seconds) in quick ? Shapes[..1] : Shapes)
        {
            // Whole batches would take minutes: some iterations are measured, the others reckoned to take as long.
            int measured = shape != "gpt2" ? 6 : quick ? 10 : 20;
            foreach (string preset in (string[])["paper", "elder"])
            {
                foreach (int threads in run.Options.Threads)
                {
                    if (run.Due(products))
                    {
                        Measure(run, products, libtorch, shape, preset, threads, measured, threads <= seconds.Length ? seconds[threads - 1] : null);
                    }
                }
            }

            libtorch.Notes.Add($"{shape}: {measured} iterations were measured, the other {Iterations - measured} reckoned with the median of these.");
        }
    }

    private static void Measure(BenchmarkRun run, ResultTable products, ResultTable libtorch, string shape, string preset, int threads, int iterations, double? libtorchSeconds)
    {
        JsonElement result;
        try
        {
            result = Child.ElderBench(run, "edit", "--shape", shape, "--preset", preset, "--threads", threads.ToString(CultureInfo.InvariantCulture), "--iterations", iterations.ToString(CultureInfo.InvariantCulture));
        }
        catch (ChildFailedException e)
        {
            products.Notes.Add($"Left out: {e.Message}");
            return;
        }

        double iteration = result.GetProperty("secondsPerIteration").GetDouble();
        run.Add(products, new Measurement($"edit iteration, {shape}, {preset}", threads, 1 / iteration, 1 / result.GetProperty("iterationProductSeconds").GetDouble(), "iterations/s")
        {
            Bar = ProductsBar, Kind = "edit loop",
        });
        if (libtorchSeconds is { } then)
        {
            double batch = result.GetProperty("secondsPerBatch").GetDouble() + ((Iterations - iterations) * iteration);
            run.Add(libtorch, new Measurement($"edits, {shape}, {preset}", threads, Edits / batch, Edits / then, "edits/s")
            {
                Bar = preset == "paper" ? LibtorchBar : null, Kind = $"edit loop, {preset}",
            });
        }
    }
}
