using System.Globalization;
using ElderManaged.Testing;
using Xunit.Abstractions;

namespace ElderManaged.Editing.Tests.Elder;

/// <summary>
/// The whole method against the authors' code, number by number: queries, scores, losses, gradients, steps, weights,
/// codes, distances, scope, logits and continuations.
/// </summary>
public sealed class ElderGoldenTests(ITestOutputHelper output)
{
    [SharedFact("goldens/elder/gpt2-tiny")]
    public void Gpt2GoldenAtRate1E3() => Check("gpt2-tiny", "lr1e-3");

    [SharedFact("goldens/elder/gpt2-tiny")]
    public void Gpt2GoldenAtRate1E4() => Check("gpt2-tiny", "lr1e-4");

    [SharedFact("goldens/elder/gpt2-tiny")]
    public void Gpt2GoldenWithStrongGuidance() => Check("gpt2-tiny", "lr1e-3-lambda1");

    [SharedFact("goldens/elder/gpt2-tiny")]
    public void Gpt2GoldenHardMode() => Check("gpt2-tiny", "hard");

    [SharedFact("goldens/elder/llama-tiny")]
    public void LlamaGoldenAtRate1E3() => Check("llama-tiny", "lr1e-3");

    [SharedFact("goldens/elder/llama-tiny")]
    public void LlamaGoldenWithStrayBias() => Check("llama-tiny", "lr1e-3-stray-bias");

    private void Check(string model, string run)
    {
        using GoldenRun golden = new(model, run);
        try
        {
            golden.Check();
        }
        finally
        {
            foreach ((string group, double error) in golden.Largest)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{model} {run}: {group} {error:E2}"));
            }

            output.WriteLine($"seconds of a batch: {string.Join(", ", golden.Seconds.Select(s => s.ToString("F3", CultureInfo.InvariantCulture)))}");
        }
    }
}
