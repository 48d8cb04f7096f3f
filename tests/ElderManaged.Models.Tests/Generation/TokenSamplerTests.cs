using ElderManaged.Models.Generation;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Generation;

public sealed class TokenSamplerTests
{
    private static readonly float[] Logits = [.. Enumerable.Range(0, 300).Select(i => MathF.Sin(i * 12.9898f) * 4)];

    [Theory]
    [InlineData(0, 1f)]
    [InlineData(20, 1f)]
    [InlineData(0, 0.9f)]
    public void ATokenIsDrawnAsOftenAsItsProbabilitySays(int topK, float topP)
    {
        GenerationOptions options = new() { Temperature = 1.5f, TopK = topK, TopP = topP };
        int[] order = [.. Enumerable.Range(0, Logits.Length).OrderByDescending(i => Logits[i])];
        double[] weights = [.. order.Select(i => Math.Exp((Logits[i] - Logits[order[0]]) / 1.5))];
        int kept = topK > 0 ? topK : order.Length;
        double all = weights.Take(kept).Sum(), sum = 0;
        kept = topP < 1 ? 1 + Array.FindIndex(weights, w => (sum += w) >= topP * all) : kept;
        double whole = weights.Take(kept).Sum();

        const int draws = 40_000;
        int[] counts = new int[Logits.Length];
        RandomSource random = new(4);
        for (int i = 0; i < draws; i++)
        {
            counts[TokenSampler.Choose(Logits, options, random)]++;
        }

        Assert.Equal(0, order.Skip(kept).Sum(i => counts[i]));
        for (int place = 0; place < kept; place++)
        {
            double expected = draws * weights[place] / whole;
            Assert.InRange(counts[order[place]], expected - 5 * Math.Sqrt(expected) - 1, expected + 5 * Math.Sqrt(expected) + 1);
        }
    }

    [Fact]
    public void DrawingAllocatesNothing()
    {
        GenerationOptions options = new() { Temperature = 0.8f, TopK = 40, TopP = 0.95f };
        RandomSource random = new(5);
        AllocationCheck.AllocatesNothing(() => TokenSampler.Choose(Logits, options, random));
    }
}
