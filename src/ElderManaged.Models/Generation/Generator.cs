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
        List<int>[] added = [.. Enumerable.Range(0, count).Select(_ => new List<int>(Math.Min(options.MaxTokens, model.Config.MaxPositions)))];
        RandomSource[] random = [.. Enumerable.Range(0, count).Select(i => new RandomSource(options.Seed + (ulong)i))];
        int[] next = [.. batch.Prompts.Select(p => p[^1])];
        int[] active = [.. Enumerable.Range(0, count).Where(i => options.MaxTokens > 0)];
        int longest = count == 0 ? 0 : batch.Prompts.Max(p => p.Length);
        KeyValueCache cache = batch.Cache.Prefix(
            [.. batch.Prompts.Select(p => p.Length - 1)], Math.Clamp(options.MaxTokens, 0, model.Config.MaxPositions + 1 - longest));
        Step? step = null;
        while (active.Length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            step ??= new Step(batch, cache, active);
            using Tape tape = Tape.Start(record: false);
            Tensor logits = step.Logits(next, added);
            int ended = 0;
            bool greedy = options.Temperature <= 0;
            if (greedy)
            {
                Op.ArgMaxOfRows(logits, step.Best); // of a device's logits only the tokens come back
            }

            for (int i = 0; i < active.Length; i++)
            {
                int s = active[i];
                int token = greedy ? step.Best[i] : TokenSampler.Choose(logits.ReadOnlyRow(i), options, random[s]);
                if (!options.IgnoreEnd && model.Config.EosTokenIds.Contains(token))
                {
                    active[i] = -1 - s;
                    ended++;
                    continue;
                }

                added[s].Add(token);
                next[s] = token;
                onToken?.Invoke(s, token);
                if (added[s].Count >= options.MaxTokens || batch.Prompts[s].Length + added[s].Count > model.Config.MaxPositions)
                {
                    active[i] = -1 - s;
                    ended++;
                }
            }

            if (ended > 0)
            {
                active = [.. active.Where(s => s >= 0)];
                step = null;
            }
        }

        return [.. added.Select(a => a.ToArray())];
    }

    /// <summary>One more token for each of the sequences that still go on; kept as long as they stay the same, so that a token allocates nothing.</summary>
    private sealed class Step
    {
        private readonly PromptBatch batch;
        private readonly int[] active, ones, past, ids;
        private readonly SequenceLayout layout;
        private readonly ForwardContext context;

        public Step(PromptBatch batch, KeyValueCache cache, int[] active)
        {
            this.batch = batch;
            this.active = [.. active];
            (ones, past, ids, Best) = (new int[active.Length], new int[active.Length], new int[active.Length], new int[active.Length]);
            Array.Fill(ones, 1);
            layout = new SequenceLayout(ones, past);
            context = new ForwardContext(layout)
            {
                Cache = cache.Select(active), AppendToCache = true, Adapter = batch.AdapterFor(this.active, layout),
            };
        }

        /// <summary>Room for one token of each.</summary>
        public int[] Best { get; }

        public Tensor Logits(int[] next, List<int>[] added)
        {
            for (int i = 0; i < active.Length; i++)
            {
                int s = active[i];
                ids[i] = next[s];
                past[i] = batch.Prompts[s].Length - 1 + added[s].Count;
            }

            layout.Set(ones, past);
            return batch.Model.Logits(batch.Model.Forward(ids, context));
        }
    }
}
