using ElderManaged.Editing.Elder;
using ElderManaged.Models;

namespace ElderManaged.Editing.Tests.Elder;

/// <summary>Runs alone: the bytes that are live are those of the whole process.</summary>
[Collection(Name)]
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LiveBytesTests
{
    private const string Name = "live bytes";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LiveBytesAreFlatOverAThousandBatches(bool paper)
    {
        TransformerModel model = MixtureTrainingTests.ModelOf("gpt2");
        ElderEditor editor = new(model, MixtureTrainingTests.OptionsOf(model, paper) with { Iterations = 2 });
        EncodedEdit[] edits = TinyModels.Edits(4, 8);
        long early = 0;
        for (int b = 0; b < 1000; b++)
        {
            editor.Edit(edits[(b % 2 * 4)..((b % 2 * 4) + 4)]);
            if (b == 100)
            {
                early = GC.GetTotalMemory(forceFullCollection: true);
            }
        }

        long late = GC.GetTotalMemory(forceFullCollection: true);
        Assert.True(late - early < 256 * 1024, $"{early} bytes live after 100 batches, {late} after 1,000.");
    }
}
