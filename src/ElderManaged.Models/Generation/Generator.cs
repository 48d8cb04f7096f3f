using ElderManaged.Tensors;

namespace ElderManaged.Models.Generation;

/// <summary>How to continue a text.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to add.</summary>
    public int MaxTokens { get; init; } = 32;

    /// <summary>0 is greedy; otherwise logits are divided by it before sampling.</summary>
    public float Temperature { get; init; }

    /// <summary>Sample among this many most likely tokens; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Sample among the fewest tokens that together reach this probability (Holtzman et al. 2020).</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Seed of sampling.</summary>
    public ulong Seed { get; init; }

    /// <summary>Go on past an end token.</summary>
    public bool IgnoreEnd { get; init; }
}

/// <summary>Continues prompts token by token, all prompts of a batch together, with a key/value cache.</summary>
public static class Generator
{
    /// <summary>
    /// The tokens added to each prompt, without the end token. Each sequence stops at an end token, at the most tokens,
    /// or where the model's positions end.
    /// </summary>
    /// <param name="batch">The prompts; its cache is left as it was.</param>
    /// <param name="options">How to choose and when to stop.</param>
    /// <param name="onToken">Called with the prompt's index and each new token, for streaming.</param>
    /// <param name="cancellationToken">Stops between tokens.</param>
    public static int[][] Generate(
        PromptBatch batch, GenerationOptions options, Action<int, int>? onToken = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(options);
        TransformerModel model = batch.Model;
        int count = batch.Prompts.Count;
        List<int>[] added = [.. Enumerable.Range(0, count).Select(_ => new List<int>())];
        RandomSource[] random = [.. Enumerable.Range(0, count).Select(i => new RandomSource(options.Seed + (ulong)i))];
        int[] next = [.. batch.Prompts.Select(p => p[^1])];
        int[] active = [.. Enumerable.Range(0, count).Where(i => options.MaxTokens > 0)];
        KeyValueCache cache = batch.Cache.Prefix([.. batch.Prompts.Select(p => p.Length - 1)]);
        while (active.Length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using Tape tape = Tape.Start(record: false);
            KeyValueCache rows = cache.Select(active);
            SequenceLayout layout = new(Ones(active.Length), [.. active.Select(s => batch.Prompts[s].Length - 1 + added[s].Count)]);
            ForwardContext context = new(layout) { Cache = rows, AppendToCache = true, Adapter = batch.AdapterFor(active, layout) };
            Tensor logits = model.Logits(model.Forward([.. active.Select(s => next[s])], context));
            List<int> still = [];
            for (int i = 0; i < active.Length; i++)
            {
                int s = active[i];
                int token = TokenSampler.Choose(logits.Row(i), options, random[s]);
                if (!options.IgnoreEnd && model.Config.EosTokenIds.Contains(token))
                {
                    continue;
                }

                added[s].Add(token);
                next[s] = token;
                onToken?.Invoke(s, token);
                if (added[s].Count < options.MaxTokens && batch.Prompts[s].Length + added[s].Count <= model.Config.MaxPositions)
                {
                    still.Add(s);
                }
            }

            active = [.. still];
        }

        return [.. added.Select(a => a.ToArray())];
    }

    private static int[] Ones(int count)
    {
        int[] ones = new int[count];
        Array.Fill(ones, 1);
        return ones;
    }
}
