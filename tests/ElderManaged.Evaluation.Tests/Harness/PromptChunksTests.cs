using ElderManaged.Evaluation.Harness;

namespace ElderManaged.Evaluation.Tests.Harness;

public sealed class PromptChunksTests
{
    [Fact]
    public void ChunksAreBoundedByItemsAndByTokens()
    {
        int[] lengths = [500, 500, 100, 2000, 1, 1, 1, 1, 1];
        int[][] chunks = [.. PromptChunks.Split(lengths, n => n, mostItems: 4)];
        Assert.Equal([[500, 500], [100], [2000], [1, 1, 1, 1], [1]], chunks);
        Assert.Empty(PromptChunks.Split<int>([], n => n, 4));
    }
}
