using ElderManaged.Models.Generation;

namespace ElderManaged.Models.Tests.Generation;

/// <summary>What generating leaves for the collector.</summary>
internal static class GenerationAllocation
{
    /// <summary>
    /// Managed bytes of all tokens but the first four, which set the loop up: the least of some rounds, since what the runtime compiles
    /// meanwhile falls into some of them only.
    /// </summary>
    public static long Least(TransformerModel model)
    {
        PromptBatch batch = PromptBatch.OfBase(model, [[1, 2, 3], [4, 5]]);
        GenerationOptions options = new() { MaxTokens = 30, IgnoreEnd = true };
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least > 0; round++)
        {
            long before = 0, sum = 0;
            int tokens = 0;
            Generator.Generate(batch, options, (_, _) =>
            {
                sum += tokens++ < 4 ? 0 : GC.GetAllocatedBytesForCurrentThread() - before;
                before = GC.GetAllocatedBytesForCurrentThread();
            });
            least = Math.Min(least, sum);
        }

        return least;
    }
}
