using System.Globalization;
using System.Text.Json;
using ElderManaged.Cli.Bench;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary>Runs <see cref="GenerateBench"/> with each number of threads and prints what it found.</summary>
internal static class GenerateReport
{
    public static void Run(
        Terminal terminal, string name, TransformerModel model, int prompt, int tokens, int[] counts, bool json, CancellationToken cancellationToken)
    {
        Check(model.Config, prompt, tokens);
        foreach (int threads in counts)
        {
            Inputs.UseThreads(threads);
            GenerateBenchResult result = GenerateBench.Run(model, prompt, tokens, text => BenchOptions.Progress(terminal, text), cancellationToken);
            if (json)
            {
                terminal.Out.WriteLine(JsonOutput.Write(writer => Write(writer, name, model.Device, prompt, tokens, threads, result)));
            }
            else
            {
                Print(terminal.Out, name, model.Device, prompt, tokens, threads, result);
            }
        }
    }

    /// <summary>Refuses what a model has no positions for.</summary>
    public static void Check(ModelConfig config, int prompt, int tokens)
    {
        Inputs.InRange("--prompt", prompt, 1, config.MaxPositions);
        Inputs.InRange("--tokens", tokens, 2, config.MaxPositions - prompt + 1);
    }

    private static void Print(TextWriter output, string name, Device device, int prompt, int tokens, int threads, GenerateBenchResult r)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        output.WriteLine(string.Create(c, $"{name}, {(device == Device.Cpu ? $"{threads} thread(s)" : device.ToString())}"));
        output.WriteLine(string.Create(c, $"prompt of {prompt}    {r.Prompt * 1e3:0.00} ms, {prompt / r.Prompt:0.0} tokens/s"));
        output.WriteLine(string.Create(c, $"{tokens} tokens after  {r.Token * 1e3:0.000} ms each, {1 / r.Token:0.0} tokens/s"));
        if (device == Device.Cpu)
        {
            output.WriteLine(string.Create(c, $"  products alone {r.TokenProducts * 1e3:0.000} ms, ratio {r.Token / r.TokenProducts:0.000}"));
            output.WriteLine(string.Create(c, $"weights read     {r.WeightBytes / 1e6:0.0} MB a token; reading alone at {r.Bandwidth / 1e9:0.0} GB/s takes {r.WeightBytes / r.Bandwidth * 1e3:0.000} ms, ratio {r.Ratio:0.000}"));
        }

        output.WriteLine(string.Create(c, $"allocated        {r.AllocatedPerToken} bytes a token"));
        output.WriteLine(string.Create(c, $"peak memory      {Statistics.PeakMemory() / (double)(1 << 20):0} MiB"));
    }

    private static void Write(Utf8JsonWriter json, string name, Device device, int prompt, int tokens, int threads, GenerateBenchResult r)
    {
        json.WriteString("model", name);
        json.WriteNumber("threads", threads);
        json.WriteString("device", device.Report.Kind);
        json.WriteNumber("promptTokens", prompt);
        json.WriteNumber("promptSeconds", r.Prompt);
        json.WriteNumber("promptTokensPerSecond", prompt / r.Prompt);
        json.WriteNumber("tokens", tokens);
        json.WriteNumber("secondsPerToken", r.Token);
        json.WriteNumber("tokensPerSecond", 1 / r.Token);
        BenchOptions.Write(json, "productSecondsPerToken", r.TokenProducts);
        BenchOptions.Write(json, "weightBytesPerToken", r.WeightBytes);
        BenchOptions.Write(json, "readBytesPerSecond", r.Bandwidth);
        BenchOptions.Write(json, "ratio", r.Ratio);
        json.WriteNumber("allocatedBytesPerToken", r.AllocatedPerToken);
        json.WriteNumber("peakMemoryBytes", Statistics.PeakMemory());
    }
}
