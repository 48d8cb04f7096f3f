using System.Text.Json;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Generation;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Models;

/// <summary>What <see cref="GoldenModelTests"/> asks, from files in the repository, so that every clone can ask it.</summary>
public sealed class FixtureGoldenTests
{
    private const double LogitTolerance = 1e-4;
    private const double GradientTolerance = 5e-5; // relative, of the norm

    [Theory]
    [InlineData("gpt2-tiny")]
    [InlineData("llama-tiny")]
    public void LogitsLossAndGradientNorms(string name)
    {
        using SafetensorsFile golden = SafetensorsFile.Open(Fixture(name, "golden.safetensors"));
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(Fixture(name, "manifest.json")));
        TransformerModel model = TransformerModel.LoadTrainable(Fixture(name));
        (int[] ids, int[] mask, int[] labels) = (Integers(golden, "input_ids"), Integers(golden, "attention_mask"), Integers(golden, "labels"));
        int padded = (int)golden.Entries["input_ids"].Shape[1], vocabulary = model.Config.VocabSize;
        int[] rows = [.. Enumerable.Range(0, ids.Length).Where(i => mask[i] == 1)]; // padding is on the right
        int[] lengths = [.. Enumerable.Range(0, ids.Length / padded).Select(r => mask.AsSpan(r * padded, padded).ToArray().Sum())];
        int[] targets = [.. rows.Select(i => i % padded == padded - 1 || mask[i + 1] == 0 ? -100 : labels[i + 1])];

        using Tape tape = Tape.Start();
        Tensor logits = model.Logits(model.Forward([.. rows.Select(i => ids[i])], new ForwardContext(new SequenceLayout(lengths))));
        float[] expected = Floats(golden, "logits");
        for (int row = 0; row < rows.Length; row++)
        {
            for (int v = 0; v < vocabulary; v++)
            {
                double error = Math.Abs(expected[(rows[row] * vocabulary) + v] - logits.Span[(row * vocabulary) + v]);
                Assert.True(error <= LogitTolerance, $"{name}: logit {v} of row {row} is off by {error:E2}.");
            }
        }

        Tensor loss = Op.CrossEntropy(logits, targets);
        Assert.Equal(manifest.RootElement.GetProperty("loss").GetProperty("float64").GetDouble(), loss.Value, 1e-5);
        tape.Backward(loss);
        Assert.NotEmpty(model.Parameters);
        foreach (Parameter parameter in model.Parameters)
        {
            double norm = manifest.RootElement.GetProperty("grad_norm").GetProperty(parameter.Name).GetDouble(), sum = 0;
            foreach (float g in parameter.Value.Grad!.Span)
            {
                sum += (double)g * g;
            }

            Assert.True(Math.Abs(Math.Sqrt(sum) - norm) <= GradientTolerance * norm, $"{name}: the gradient of {parameter.Name} has the norm {Math.Sqrt(sum)}, expected {norm}.");
        }
    }

    [Theory]
    [InlineData("gpt2-tiny")]
    [InlineData("llama-tiny")]
    public void GreedyContinuations(string name)
    {
        using SafetensorsFile golden = SafetensorsFile.Open(Fixture(name, "golden.safetensors"));
        int width = (int)golden.Entries["greedy.prompt"].Shape[1];
        int[] padded = Integers(golden, "greedy.prompt");
        int[][] prompts = [.. Integers(golden, "greedy.prompt_length").Select((length, i) => padded.AsSpan(i * width, length).ToArray())];
        int[][] found = Generator.Generate(PromptBatch.OfBase(TransformerModel.Load(Fixture(name)), prompts), new GenerationOptions { MaxTokens = 16, IgnoreEnd = true });
        Assert.Equal(Integers(golden, "greedy.continuation"), found.SelectMany(t => t));
    }

    /// <summary>A file or folder of the fixtures.</summary>
    internal static string Fixture(params string[] parts) =>
        Path.Combine([SharedData.RequireRepository(), "tests", "ElderManaged.Models.Tests", "Fixtures", .. parts]);

    private static int[] Integers(SafetensorsFile file, string name)
    {
        long[] values = new long[file.Entries[name].ElementCount];
        file.ReadInt64(name, values);
        return [.. values.Select(value => (int)value)];
    }

    private static float[] Floats(SafetensorsFile file, string name)
    {
        float[] values = new float[file.Entries[name].ElementCount];
        file.ReadFloat32(name, values);
        return values;
    }
}
