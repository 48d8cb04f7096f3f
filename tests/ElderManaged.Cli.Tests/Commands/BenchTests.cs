using System.Text.Json;

namespace ElderManaged.Cli.Tests.Commands;

public sealed class BenchTests
{
    private static readonly string[] GenerateFields =
    [
        "model", "threads", "device", "promptTokens", "promptSeconds", "promptTokensPerSecond", "tokens", "secondsPerToken", "tokensPerSecond",
        "productSecondsPerToken", "weightBytesPerToken", "readBytesPerSecond", "ratio", "allocatedBytesPerToken", "peakMemoryBytes",
    ];

    [Theory]
    [InlineData("paper", "f32")]
    [InlineData("elder", "q8_0")]
    public void EditTellsWhatABatchCost(string preset, string dtype)
    {
        Outcome outcome = Elder.Run("bench", "edit", "--shape", "tiny", "--preset", preset, "--dtype", dtype, "--iterations", "5", "--json");
        Assert.Equal(0, outcome.Code);
        JsonElement json = outcome.Json;
        Assert.Equal(
            [
                "model", "preset", "threads", "device", "layers", "iterations", "secondsPerBatch", "batchProductSeconds", "batchRatio", "secondsPerIteration",
                "iterationProductSeconds", "iterationRatio", "productGflops", "tokensPerSecond", "allocatedBytesPerIteration", "peakMemoryBytes",
            ],
            json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(($"tiny {dtype}", preset, 5), (json.GetProperty("model").GetString(), json.GetProperty("preset").GetString(), json.GetProperty("iterations").GetInt32()));
        double batch = json.GetProperty("secondsPerBatch").GetDouble();
        Assert.True(batch > 0 && json.GetProperty("iterationProductSeconds").GetDouble() > 0);
        Assert.Equal(5 * 4 * 32 / batch, json.GetProperty("tokensPerSecond").GetDouble(), 1e-6);
    }

    [Fact]
    public void GenerateTellsWhatATokenCost()
    {
        Outcome outcome = Elder.Run("bench", "generate", "--shape", "tiny", "--dtype", "f16", "--prompt", "5", "--tokens", "6", "--json");
        Assert.Equal(0, outcome.Code);
        Assert.Equal(GenerateFields, outcome.Json.EnumerateObject().Select(p => p.Name));

        // Six blocks of 12·64² numbers and the vocabulary of 512, two bytes each.
        Assert.Equal(2 * ((6 * 12 * 64 * 64) + (512 * 64)), outcome.Json.GetProperty("weightBytesPerToken").GetDouble());
        Assert.True(outcome.Json.GetProperty("secondsPerToken").GetDouble() > 0);
    }

    [Fact]
    public void SeveralAreMeasuredOnTheSameModelAndToldLineByLine()
    {
        Outcome outcome = Elder.Run("bench", "edit", "--shape", "tiny", "--preset", "paper,elder", "--threads", "1, 2", "--iterations", "3", "--batches", "2", "--json");
        Assert.Equal(0, outcome.Code);
        JsonElement[] lines = [.. outcome.Out.TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(
            [("paper", 1), ("paper", 2), ("elder", 1), ("elder", 2)],
            lines.Select(line => (line.GetProperty("preset").GetString()!, line.GetProperty("threads").GetInt32())));
        Assert.Single(outcome.Error.Split('\n'), line => line.StartsWith("made in", StringComparison.Ordinal));
    }

    [Fact]
    public void ModelTellsTheSameOfACheckpoint()
    {
        Outcome outcome = Elder.Run("bench", "model", "--model", Elder.Model, "--prompt", "8", "--tokens", "4", "--json");
        Assert.Equal(0, outcome.Code);
        Assert.Equal(GenerateFields, outcome.Json.EnumerateObject().Select(p => p.Name));
    }

    [Theory]
    [InlineData("edit --shape gpt5", "--shape is 'gpt5'")]
    [InlineData("edit --shape tiny --preset best", "--preset is 'best'")]
    [InlineData("edit --shape tiny --preset paper,worst", "--preset is 'worst'")]
    [InlineData("edit --shape tiny --iterations 2", "--iterations is 2")]
    [InlineData("edit --shape tiny --threads 1,two", "--threads is '1,two'")]
    [InlineData("generate --shape tiny --threads 0", "--threads is 0")]
    [InlineData("generate --shape tiny --threads ,", "--threads is ','")]
    [InlineData("generate --shape tiny --dtype f64", "--dtype is 'f64'")]
    [InlineData("generate --shape tiny --prompt 200 --tokens 100", "--tokens is 100")]
    [InlineData("model --model nowhere", "nowhere")]
    public void BadInputIsToldInOneLine(string arguments, string told)
    {
        Outcome outcome = Elder.Run(["bench", .. arguments.Split(' ')]);
        Assert.Equal((Program.BadInput, ""), (outcome.Code, outcome.Out));
        Assert.Contains(told, outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', outcome.Error.TrimEnd()); // and nothing was begun before
    }
}
