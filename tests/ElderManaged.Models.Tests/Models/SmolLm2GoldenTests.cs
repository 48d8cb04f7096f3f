using ElderManaged.Models.Generation;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Models;

/// <summary>A real model in GGUF (Q4_1 and Q8_0) against float64 runs of the reference implementation on the same dequantized weights.</summary>
public sealed class SmolLm2GoldenTests
{
    private const int Prompts = 10;
    private const double LogitTolerance = 1e-3;          // the reference in float32 differs by 1e-4 from itself in float64
    private const double HiddenTolerance = 2e-4;         // relative to the largest element
    private const double ProbabilityTolerance = 1e-3;
    private static readonly Lazy<TransformerModel> Model = new(() => TransformerModel.Load(SharedData.PathOf("models", "smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf")));

    [SharedFact("models/smollm2-135m", "goldens/smollm2")]
    public void LogitsHiddenStatesAndProbabilities()
    {
        using GoldenFile golden = new("goldens", "smollm2", "golden.safetensors");
        TransformerModel model = Model.Value;
        for (int i = 0; i < Prompts; i++)
        {
            int[] ids = golden.Integers($"{i}.ids");
            float[] hidden = [];
            ForwardContext context = new(new SequenceLayout([ids.Length]))
            {
                Observe = (what, layer, tensor) => hidden = what == Activation.Hidden && layer == 15 ? tensor.Span[^model.Width..].ToArray() : hidden,
            };
            float[] logits = model.Logits(model.Forward(ids, context), context).Span.ToArray();
            int vocabulary = model.Config.VocabSize;
            Close(golden.Floats($"{i}.logits_last"), logits.AsSpan(logits.Length - vocabulary), LogitTolerance, $"prompt {i}: logits");
            float[] expected = golden.Floats($"{i}.hidden_15_last");
            Close(expected, hidden, HiddenTolerance * expected.Max(MathF.Abs), $"prompt {i}: hidden state");
            float[] probabilities = [.. Enumerable.Range(0, ids.Length - 1).Select(t => LogProbability(logits.AsSpan(t * vocabulary, vocabulary), ids[t + 1]))];
            Close(golden.Floats($"{i}.log_probabilities"), probabilities, ProbabilityTolerance, $"prompt {i}: log probabilities");
        }
    }

    [SharedFact("models/smollm2-135m", "goldens/smollm2")]
    public void GreedyContinuations()
    {
        using GoldenFile golden = new("goldens", "smollm2", "golden.safetensors");
        int[][] prompts = [.. Enumerable.Range(0, Prompts).Select(i => golden.Integers($"{i}.ids"))];
        int[][] found = Generator.Generate(PromptBatch.OfBase(Model.Value, prompts), new GenerationOptions { MaxTokens = 32, IgnoreEnd = true });
        for (int i = 0; i < Prompts; i++)
        {
            Assert.Equal(golden.Integers($"{i}.greedy"), found[i]);
        }
    }

    private static float LogProbability(ReadOnlySpan<float> logits, int id)
    {
        float largest = float.NegativeInfinity;
        foreach (float logit in logits)
        {
            largest = MathF.Max(largest, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp((double)logit - largest);
        }

        return (float)((double)logits[id] - largest - Math.Log(sum));
    }

    private static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> found, double tolerance, string label)
    {
        Assert.True(expected.Length == found.Length, $"{label}: {found.Length} values, expected {expected.Length}.");
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance, $"{label}: element {i} is {found[i]:R}, expected {expected[i]:R}.");
        }
    }
}
