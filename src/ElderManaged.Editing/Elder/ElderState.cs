using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// All that an <see cref="ElderEditor"/> has become. Only the mixture's numbers change in place; everything else is
/// replaced when a batch is done, so that a failed batch leaves no trace.
/// </summary>
internal sealed record ElderState(
    Mixture Mixture, UniqueAllocator Allocator, CodeBook Codes, IReadOnlyList<EncodedEdit> Edits, RandomSource Random, IFactFinder Finder)
{
    public static ElderState Start(TransformerModel model, ElderOptions options, IFactFinder finder)
    {
        RandomSource root = new(options.Seed);
        Mixture mixture = Mixture.Create(model, options, root.Fork(1));
        UniqueAllocator allocator = new(options.Layers.Count, options.LoraCount, options.ActiveCount, root.Fork(2).NextBits());
        return new ElderState(mixture, allocator, new CodeBook(options.Layers.Count * options.LoraCount), [], root.Fork(3), finder);
    }

    /// <summary>The edits that still hold when a batch is added: not those with the same prompt, or of the same fact with another target.</summary>
    public IEnumerable<EncodedEdit> WithoutSuperseded(IReadOnlyList<EncodedEdit> batch)
    {
        Dictionary<string, EncodedEdit> facts = [];
        foreach (EncodedEdit edit in batch)
        {
            facts[edit.FactId] = edit;
        }

        HashSet<string> prompts = [.. batch.Select(Key)];
        return Edits.Where(e =>
            !prompts.Contains(Key(e)) && !(facts.TryGetValue(e.FactId, out EncodedEdit? newer) && !newer.Target.AsSpan().SequenceEqual(e.Target)));
    }

    /// <summary>The state after a batch whose training is done.</summary>
    public ElderState Next(UniqueAllocator allocator, RandomSource random, CodeBook codes, IReadOnlyList<EncodedEdit> batch, bool record)
    {
        EncodedEdit[] kept = [.. WithoutSuperseded(batch)];
        List<EncodedEdit> edits = [.. kept];
        for (int i = 0; i < batch.Count; i++)
        {
            // Within a batch, too, the last answer to a prompt counts.
            if (!batch.Skip(i + 1).Any(later => Key(later) == Key(batch[i])))
            {
                edits.Add(batch[i]);
            }
        }

        IFactFinder finder = Finder;
        if (record)
        {
            // A fact that lost an edit is recorded anew with what it has left.
            HashSet<string> changed = [.. Edits.Except(kept, ReferenceEqualityComparer.Instance).Cast<EncodedEdit>().Select(e => e.FactId)];
            foreach (string fact in changed.Order(StringComparer.Ordinal))
            {
                finder = finder.Without(fact);
            }

            finder = finder.With([.. edits.Where((e, i) => i >= kept.Length || changed.Contains(e.FactId))]);
        }

        return this with { Allocator = allocator, Random = random, Codes = codes, Edits = edits, Finder = finder };
    }

    /// <summary>The state without a fact.</summary>
    public ElderState Without(string factId) => this with
    {
        Codes = Codes.Without(factId),
        Edits = [.. Edits.Where(e => e.FactId != factId)],
        Finder = Finder.Without(factId),
    };

    private static string Key(EncodedEdit edit) => string.Join(' ', edit.Prompt);
}
