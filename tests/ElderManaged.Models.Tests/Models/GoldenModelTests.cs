using System.Text.Json;
using ElderManaged.Models.Generation;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Models;

/// <summary>Both architectures against the numbers of the reference implementation (tolerances measured there).</summary>
public sealed class GoldenModelTests
{
    private const double Absolute = 1e-4;      // logits and hidden states
    private const double GradientAbsolute = 2e-5;
    private const double GradientRelative = 5e-5; // by norm of a tensor

    [SharedFact("goldens/models/gpt2-tiny", "goldens/elder/gpt2-tiny")]
    public void Gpt2ActivationsAndLogits() => Activations("gpt2-tiny");

    [SharedFact("goldens/models/llama-tiny", "goldens/elder/llama-tiny")]
    public void LlamaActivationsAndLogits() => Activations("llama-tiny");

    [SharedFact("goldens/models/gpt2-tiny", "goldens/elder/gpt2-tiny")]
    public void Gpt2LossAndEveryGradient() => Gradients("gpt2-tiny");

    [SharedFact("goldens/models/llama-tiny", "goldens/elder/llama-tiny")]
    public void LlamaLossAndEveryGradient() => Gradients("llama-tiny");

    [SharedFact("goldens/models/gpt2-tiny", "goldens/elder/gpt2-tiny")]
    public void Gpt2GreedyContinuations() => Greedy("gpt2-tiny");

    [SharedFact("goldens/models/llama-tiny", "goldens/elder/llama-tiny")]
    public void LlamaGreedyContinuations() => Greedy("llama-tiny");

    private static void Activations(string name)
    {
        using GoldenFile golden = new("goldens", "models", name, "golden.safetensors");
        TransformerModel model = TransformerModel.Load(SharedData.PathOf("goldens", "elder", name));
        Packed batch = Packed.Read(golden);
        Dictionary<string, float[]> seen = [];
        ForwardContext context = new(batch.Layout)
        {
            Observe = (activation, layer, tensor) => seen[activation switch
            {
                Activation.Hidden => $"hidden.{layer}",
                Activation.Attention => $"attention.{layer}",
                Activation.FeedForwardInput => $"ffn_input.{layer}",
                _ => "hidden.final",
            }] = tensor.Span.ToArray(),
        };
        Tensor logits = model.Logits(model.Forward(batch.Ids, context), context);
        seen["logits"] = logits.Span.ToArray();
        Assert.Equal(3 * model.LayerCount + 2, seen.Count);
        foreach ((string what, float[] found) in seen)
        {
            int width = golden.Shape(what)[^1];
            AssertClose(batch.Unpad(golden.Floats(what), width), found, Absolute, $"{name} {what}");
        }

        int[] full = golden.Integers("full.input_ids");
        SequenceLayout layout = new([64, 64]);
        Tensor fullLogits = model.Logits(model.Forward(full, new ForwardContext(layout)));
        AssertClose(golden.Floats("full.logits"), fullLogits.Span, Absolute, $"{name} full.logits");
    }

    private static void Gradients(string name)
    {
        using GoldenFile golden = new("goldens", "models", name, "golden.safetensors");
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(SharedData.PathOf("goldens", "models", name, "manifest.json")));
        TransformerModel model = TransformerModel.LoadTrainable(SharedData.PathOf("goldens", "elder", name));
        Packed batch = Packed.Read(golden);
        using (Tape tape = Tape.Start())
        {
            Tensor loss = Op.CrossEntropy(model.Logits(model.Forward(batch.Ids, new ForwardContext(batch.Layout))), batch.Targets);
            Assert.Equal(manifest.RootElement.GetProperty("loss").GetProperty("float64").GetDouble(), loss.Value, 1e-5);
            tape.Backward(loss);
        }

        foreach (Parameter parameter in model.Parameters)
        {
            float[] expected = golden.Floats($"grad.{parameter.Name}");
            int[] shape = golden.Shape($"grad.{parameter.Name}");
            float[] found = parameter.Value.Grad!.Span.ToArray();
            if (name.StartsWith("gpt2", StringComparison.Ordinal) && parameter.Name.Contains(".c_", StringComparison.Ordinal) && shape.Length == 2)
            {
                found = Transpose(found, shape[1], shape[0]); // Conv1D keeps [in, out]
            }

            AssertClose(expected, found, GradientAbsolute, $"{name} gradient of {parameter.Name}");
            double error = Math.Sqrt(expected.Zip(found, (e, f) => Math.Pow((double)e - f, 2)).Sum());
            double norm = Math.Sqrt(expected.Sum(e => (double)e * e));
            Assert.True(error <= GradientRelative * norm, $"{name} gradient of {parameter.Name}: relative error {error / norm:E2}.");
        }

        Assert.Equal(golden.Names.Count(n => n.StartsWith("grad.", StringComparison.Ordinal)), model.Parameters.Count);
    }

    private static void Greedy(string name)
    {
        using GoldenFile golden = new("goldens", "models", name, "golden.safetensors");
        TransformerModel model = TransformerModel.Load(SharedData.PathOf("goldens", "elder", name));
        int[] padded = golden.Integers("greedy.prompt");
        int width = golden.Shape("greedy.prompt")[1];
        int[][] prompts = [.. golden.Integers("greedy.prompt_length").Select((length, i) => padded.AsSpan(i * width, length).ToArray())];
        GenerationOptions options = new() { MaxTokens = 16, IgnoreEnd = true };
        int[][] together = Generator.Generate(PromptBatch.OfBase(model, prompts), options);
        Assert.Equal(golden.Integers("greedy.continuation"), together.SelectMany(t => t));
        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.Equal(together[i], Generator.Generate(PromptBatch.OfBase(model, [prompts[i]]), options)[0]);
        }
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> found, double tolerance, string label)
    {
        Assert.True(expected.Length == found.Length, $"{label}: {found.Length} values, expected {expected.Length}.");
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance, $"{label}: element {i} is {found[i]:R}, expected {expected[i]:R}.");
        }
    }

    private static float[] Transpose(float[] source, int rows, int columns)
    {
        float[] result = new float[source.Length];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                result[(c * rows) + r] = source[(r * columns) + c];
            }
        }

        return result;
    }

    /// <summary>The golden batch without its padding.</summary>
    private sealed record Packed(int[] Ids, int[] Targets, SequenceLayout Layout, int[] Lengths, int PaddedLength)
    {
        public static Packed Read(GoldenFile golden)
        {
            int[] ids = golden.Integers("input_ids"), mask = golden.Integers("attention_mask"), labels = golden.Integers("labels");
            int rows = golden.Shape("input_ids")[0], padded = golden.Shape("input_ids")[1];
            int[] lengths = [.. Enumerable.Range(0, rows).Select(r => mask.AsSpan(r * padded, padded).ToArray().Sum())];
            List<int> packedIds = [], targets = [];
            for (int r = 0; r < rows; r++)
            {
                for (int t = 0; t < lengths[r]; t++)
                {
                    packedIds.Add(ids[(r * padded) + t]);
                    targets.Add(t + 1 < lengths[r] ? labels[(r * padded) + t + 1] : -100); // position t predicts label t + 1
                }
            }

            return new Packed([.. packedIds], [.. targets], new SequenceLayout(lengths), lengths, padded);
        }

        public float[] Unpad(float[] values, int width) =>
            [.. Lengths.SelectMany((length, r) => values.AsSpan(r * PaddedLength * width, length * width).ToArray())];
    }
}
