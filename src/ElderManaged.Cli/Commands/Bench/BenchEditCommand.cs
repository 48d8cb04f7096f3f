using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ElderManaged.Cli.Bench;
using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary>
/// <c>elder bench edit</c>: batches of 4 edits of 28 prompt and 4 target tokens on a model of random weights, beside the
/// time of the loop's own products with frozen weights.
/// </summary>
internal static class BenchEditCommand
{
    private static readonly string[] Presets = ["paper", "elder"];

    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> shape = BenchOptions.Shape();
        Option<string> preset = new("--preset") { Description = $"The settings: {string.Join(" or ", Presets)}, or both: {string.Join(',', Presets)}.", DefaultValueFactory = _ => Presets[0] };
        Option<string> dtype = BenchOptions.Dtype();
        Option<int> iterations = new("--iterations") { Description = "Iterations of a batch; none is left out.", DefaultValueFactory = _ => 50 };
        Option<int> batches = new("--batches") { Description = "Timed batches.", DefaultValueFactory = _ => 1 };
        Option<string> threads = BenchOptions.Threads();
        Option<string> device = Inputs.Device();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> json = BenchOptions.Json();
        Command command = new("edit", "Times batches of four edits, and the loop's own matrix products alone.")
        {
            shape, dtype, preset, iterations, batches, threads, device, tensorCores, json,
        };
        command.SetAction(parsed =>
        {
            int[] counts = BenchOptions.ReadThreads(parsed.GetValue(threads)!);
            int wanted = Inputs.InRange("--iterations", parsed.GetValue(iterations), 3, 100_000);
            string name = parsed.GetValue(shape)!, format = parsed.GetValue(dtype)!;
            string[] settings = [.. BenchOptions.Several(parsed.GetValue(preset)!).DefaultIfEmpty("").Select(p => Inputs.OneOf("--preset", p, Presets))];
            int timed = Inputs.InRange("--batches", parsed.GetValue(batches), 1, 10_000);
            using Device computing = Inputs.OpenDevice(parsed.GetValue(device)!, parsed.GetValue(tensorCores), terminal);
            Inputs.UseThreads(counts.Max());
            TransformerModel model = BenchOptions.Make(terminal, name, format, computing);
            foreach (string setting in settings)
            {
                ElderOptions options = (setting == "paper" ? ElderOptions.Paper(model) : ElderOptions.Default(model)) with
                {
                    Iterations = wanted, EarlyStopProbability = null,
                };
                foreach (int used in counts)
                {
                    Inputs.UseThreads(used);
                    EditBench bench = new(model, options, text => BenchOptions.Progress(terminal, text), cancellationToken);
                    EditBenchResult result = bench.Run(timed);
                    if (parsed.GetValue(json))
                    {
                        terminal.Out.WriteLine(JsonOutput.Write(writer => Write(writer, $"{name} {format}", computing, setting, used, options, bench, result)));
                    }
                    else
                    {
                        Print(terminal.Out, $"{name} {format}", computing, setting, used, options, bench, result);
                    }
                }
            }

            return Program.Success;
        });
        return command;
    }

    private static void Print(TextWriter output, string model, Device device, string preset, int threads, ElderOptions options, EditBench bench, EditBenchResult r)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        output.WriteLine(string.Create(c, $"{model}, {preset}, {(device == Device.Cpu ? $"{threads} thread(s)" : device.ToString())}, layers {options.Layers[0]} to {options.Layers[^1]}, {r.Iterations} iterations"));
        output.WriteLine(string.Create(c, $"batch of 4 edits      {r.Batch:0.000} s, {bench.TokensOf(r.Iterations) / r.Batch:0} tokens/s"));
        output.WriteLine(string.Create(c, $"  its products alone  {r.BatchProducts:0.000} s, ratio {r.Batch / r.BatchProducts:0.000}"));
        output.WriteLine(string.Create(c, $"iteration             {r.Iteration * 1e3:0.00} ms"));
        output.WriteLine(string.Create(c, $"  its products alone  {r.IterationProducts * 1e3:0.00} ms ({r.IterationOperations / r.IterationProducts / 1e9:0} GFLOP/s), ratio {r.Iteration / r.IterationProducts:0.000}"));
        output.WriteLine(string.Create(c, $"allocated             {r.AllocatedPerIteration} bytes an iteration"));
        output.WriteLine(string.Create(c, $"peak memory           {Statistics.PeakMemory() / (double)(1 << 20):0} MiB"));
    }

    private static void Write(
        Utf8JsonWriter json, string model, Device device, string preset, int threads, ElderOptions options, EditBench bench, EditBenchResult r)
    {
        json.WriteString("model", model);
        json.WriteString("preset", preset);
        json.WriteNumber("threads", threads);
        json.WriteString("device", device.Report.Kind);
        json.WriteStartArray("layers");
        foreach (int layer in options.Layers)
        {
            json.WriteNumberValue(layer);
        }

        json.WriteEndArray();
        json.WriteNumber("iterations", r.Iterations);
        json.WriteNumber("secondsPerBatch", r.Batch);
        BenchOptions.Write(json, "batchProductSeconds", r.BatchProducts);
        BenchOptions.Write(json, "batchRatio", r.Batch / r.BatchProducts);
        json.WriteNumber("secondsPerIteration", r.Iteration);
        BenchOptions.Write(json, "iterationProductSeconds", r.IterationProducts);
        BenchOptions.Write(json, "iterationRatio", r.Iteration / r.IterationProducts);
        BenchOptions.Write(json, "productGflops", r.IterationOperations / r.IterationProducts / 1e9);
        json.WriteNumber("tokensPerSecond", bench.TokensOf(r.Iterations) / r.Batch);
        json.WriteNumber("allocatedBytesPerIteration", r.AllocatedPerIteration);
        json.WriteNumber("peakMemoryBytes", Statistics.PeakMemory());
    }
}
