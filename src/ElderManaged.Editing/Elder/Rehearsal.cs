using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Draws earlier edits to train on again. Their prepared state is kept up to a limit of memory; beyond it, it is computed
/// again when drawn, with the same bits, so the limit changes the time and nothing else.
/// </summary>
internal sealed class Rehearsal(TransformerModel model, ElderOptions options)
{
    private readonly Dictionary<EncodedEdit, PreparedEdit> alone = new(ReferenceEqualityComparer.Instance), behindSentence = new(ReferenceEqualityComparer.Instance);
    private readonly List<int> drawn = [];
    private long bytes;

    /// <summary>Adds different edits until the list has as many as the options want, or all there are.</summary>
    public void Draw(IReadOnlyList<EncodedEdit> earlier, UniqueAllocator allocator, RandomSource random, List<TrainingItem> items)
    {
        int count = Math.Min(options.RehearsedRows, earlier.Count);
        drawn.Clear();
        while (items.Count < count)
        {
            int i = random.Next(earlier.Count);
            if (!drawn.Contains(i))
            {
                drawn.Add(i);
                bool behind = options.RehearseBehindSentences && random.Next(2) == 1;
                PreparedEdit state = (behind ? GetBehindSentence(earlier[i]) : null) ?? Get(earlier[i]);
                items.Add(new TrainingItem(state, allocator.Find(earlier[i].FactId)!));
            }
        }
    }

    /// <summary>Keeps states that are there anyway.</summary>
    /// <param name="edit">Whose.</param>
    /// <param name="prepared">The edit alone.</param>
    /// <param name="behind">The edit behind its leading sentence, or null.</param>
    public void Keep(EncodedEdit edit, PreparedEdit prepared, PreparedEdit? behind)
    {
        Keep(alone, edit, prepared);
        if (behind is not null && options.RehearseBehindSentences)
        {
            Keep(behindSentence, edit, behind);
        }
    }

    /// <summary>Lets go of edits that are no longer rehearsed.</summary>
    public void KeepOnly(IEnumerable<EncodedEdit> edits)
    {
        HashSet<EncodedEdit> kept = new(edits, ReferenceEqualityComparer.Instance);
        foreach (Dictionary<EncodedEdit, PreparedEdit> states in (Dictionary<EncodedEdit, PreparedEdit>[])[alone, behindSentence])
        {
            foreach (EncodedEdit edit in states.Keys.Where(e => !kept.Contains(e)).ToArray())
            {
                bytes -= states[edit].Bytes;
                states.Remove(edit);
            }
        }
    }

    private PreparedEdit Get(EncodedEdit edit)
    {
        if (!alone.TryGetValue(edit, out PreparedEdit? state))
        {
            state = PreparedEdit.Prepare(model, options, edit.Prompt, edit.Target);
            Keep(alone, edit, state);
        }

        return state;
    }

    private PreparedEdit? GetBehindSentence(EncodedEdit edit)
    {
        if (!behindSentence.TryGetValue(edit, out PreparedEdit? state) && LeadingSentence.Before(model, options, edit) is { } prompt)
        {
            state = PreparedEdit.Prepare(model, options, prompt, edit.Target);
            Keep(behindSentence, edit, state);
        }

        return state;
    }

    private void Keep(Dictionary<EncodedEdit, PreparedEdit> states, EncodedEdit edit, PreparedEdit state)
    {
        if (options.RehearsedRows > 0 && bytes + state.Bytes <= options.RehearsalCacheBytes && states.TryAdd(edit, state))
        {
            bytes += state.Bytes;
        }
    }
}
