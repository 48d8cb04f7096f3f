using System.Text.Json;
using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>New tokens after a prompt, with <c>elder bench generate</c>, against reading the stored weights once for each.</summary>
internal sealed class GenerateSection : ISection
{
    private const double Bar = 1 / 1.25;

    public string Name => "generate";

    public TimeSpan Typical => TimeSpan.FromSeconds(88);

    public void Run(BenchmarkRun run)
    {
        ResultTable table = run.Table(
            "Generation",
            "A prompt of 32 tokens, then 64 new ones: tokens a second against reading the stored weights once a token. Random weights, `elder bench generate`.",
            "memory");
        string[] shapes = run.Options.Quick ? ["gpt2"] : ["gpt2", "gpt2-xl"];
        string[] formats = ["f16", "q8_0"];
        run.Expect(shapes.Length * formats.Length * run.Options.Threads.Count);
        foreach (string shape in shapes)
        {
            foreach (string format in formats)
            {
                if (!run.Due(table))
                {
                    return;
                }

                try
                {
                    Child.ElderBench(run, ["generate", "--shape", shape, "--dtype", format], result => Add(run, table, shape, format, result));
                }
                catch (ChildFailedException e)
                {
                    table.Notes.Add($"Left out: {e.Message}");
                }
            }
        }
    }

    private static void Add(BenchmarkRun run, ResultTable table, string shape, string format, JsonElement result)
    {
        double token = result.GetProperty("secondsPerToken").GetDouble();
        double reading = result.GetProperty("weightBytesPerToken").GetDouble() / result.GetProperty("readBytesPerSecond").GetDouble();
        run.Add(table, new Measurement($"generation, {shape}, {format}", result.GetProperty("threads").GetInt32(), 1 / token, 1 / reading, "tokens/s") { Bar = Bar, Kind = "generation" });
    }
}
