using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Draws earlier edits to train on again. Their prepared state is kept up to a limit of memory; beyond it, it is computed
/// again when drawn, with the same bits, so the limit changes the time and nothing else.
/// </summary>
internal sealed class Rehearsal(TransformerModel model, ElderOptions options)
{
    private readonly Dictionary<EncodedEdit, PreparedEdit> prepared = new(ReferenceEqualityComparer.Instance);
    private readonly List<int> drawn = [];
    private long bytes;

    /// <summary>Adds as many different edits as the options want, or all there are.</summary>
    public void Draw(IReadOnlyList<EncodedEdit> earlier, UniqueAllocator allocator, RandomSource random, List<TrainingItem> items)
    {
        int count = Math.Min(options.RehearsedRows, earlier.Count);
        drawn.Clear();
        while (drawn.Count < count)
        {
            int i = random.Next(earlier.Count);
            if (!drawn.Contains(i))
            {
                drawn.Add(i);
                items.Add(new TrainingItem(Get(earlier[i]), allocator.Find(earlier[i].FactId)!));
            }
        }
    }

    /// <summary>Keeps a state that is there anyway.</summary>
    public void Keep(EncodedEdit edit, PreparedEdit state)
    {
        if (options.RehearsedRows > 0 && bytes + state.Bytes <= options.RehearsalCacheBytes && prepared.TryAdd(edit, state))
        {
            bytes += state.Bytes;
        }
    }

    /// <summary>Lets go of edits that are no longer rehearsed.</summary>
    public void KeepOnly(IEnumerable<EncodedEdit> edits)
    {
        HashSet<EncodedEdit> kept = new(edits, ReferenceEqualityComparer.Instance);
        foreach (EncodedEdit edit in prepared.Keys.Where(e => !kept.Contains(e)).ToArray())
        {
            bytes -= prepared[edit].Bytes;
            prepared.Remove(edit);
        }
    }

    private PreparedEdit Get(EncodedEdit edit)
    {
        if (!prepared.TryGetValue(edit, out PreparedEdit? state))
        {
            state = PreparedEdit.Prepare(model, options, edit.Prompt, edit.Target);
            Keep(edit, state);
        }

        return state;
    }
}
