namespace ElderManaged.Evaluation.Harness;

/// <summary>
/// Cuts a list of prompts into those read together: enough rows for the matrix kernels, few enough that a pass over long
/// prompts, which keeps the activations of all its rows, stays small. No answer depends on the cut.
/// </summary>
internal static class PromptChunks
{
    private const int MostTokens = 1024;

    /// <summary>Chunks in order, at least one item each.</summary>
    /// <param name="items">What is asked.</param>
    /// <param name="tokens">The tokens of an item's prompt.</param>
    /// <param name="mostItems">The most items of a chunk.</param>
    public static IEnumerable<T[]> Split<T>(IEnumerable<T> items, Func<T, int> tokens, int mostItems)
    {
        List<T> chunk = [];
        int rows = 0;
        foreach (T item in items)
        {
            int length = tokens(item);
            if (chunk.Count > 0 && (chunk.Count == mostItems || rows + length > MostTokens))
            {
                yield return [.. chunk];
                chunk.Clear();
                rows = 0;
            }

            chunk.Add(item);
            rows += length;
        }

        if (chunk.Count > 0)
        {
            yield return [.. chunk];
        }
    }
}
