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
    private readonly List<(EncodedEdit Edit, bool Behind)> wanted = [];
    private long bytes;

    /// <summary>Adds different edits until the list has as many as the options want, or all there are.</summary>
    public void Draw(IReadOnlyList<EncodedEdit> earlier, UniqueAllocator allocator, RandomSource random, List<TrainingItem> items)
    {
        int count = Math.Min(options.RehearsedRows, earlier.Count);
        drawn.Clear();
        wanted.Clear();
        while (items.Count + wanted.Count < count)
        {
            int i = random.Next(earlier.Count);
            if (!drawn.Contains(i))
            {
                drawn.Add(i);
                bool behind = options.RehearseBehindSentences && random.Next(2) == 1;
                wanted.Add((earlier[i], behind && options.LeadingSentences.Count > 0));
            }
        }

        AddWanted(allocator, items);
    }

    /// <summary>The earlier edits that a batch may have made the model forget: those whose LoRAs it has moved most, as many as are reviewed.</summary>
    /// <param name="earlier">All of them.</param>
    /// <param name="allocator">Knows their LoRAs.</param>
    /// <param name="moves">How far each LoRA was moved, from <see cref="Mixture.SquaredMoves"/>.</param>
    public List<TrainingItem> AtRisk(IReadOnlyList<EncodedEdit> earlier, UniqueAllocator allocator, double[] moves)
    {
        double Moved(Allocation allocation)
        {
            double sum = 0;
            for (int l = 0; l < options.Layers.Count; l++)
            {
                foreach (int lora in allocation.Layer(l))
                {
                    sum += moves[(l * options.LoraCount) + lora];
                }
            }

            return sum;
        }

        wanted.Clear();
        wanted.AddRange(earlier.OrderByDescending(e => Moved(allocator.Find(e.FactId)!)).Take(options.ReviewedEdits).Select(e => (e, false)));
        List<TrainingItem> items = new(wanted.Count);
        AddWanted(allocator, items);
        return items;
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

    /// <summary>Adds what is wanted to a list; what is not kept is prepared in one pass, as after opening a state.</summary>
    private void AddWanted(UniqueAllocator allocator, List<TrainingItem> items)
    {
        List<(int[], int[])>? missing = null;
        foreach ((EncodedEdit edit, bool behind) in wanted)
        {
            if (!StatesOf(behind).ContainsKey(edit))
            {
                int[]? prompt = behind ? LeadingSentence.Before(model, options, edit) : null;
                (missing ??= []).Add((prompt ?? edit.Prompt, edit.Target));
            }
        }

        PreparedEdit[] prepared = missing is null ? [] : PreparedEdit.Prepare(model, options, missing);
        int next = 0;
        foreach ((EncodedEdit edit, bool behind) in wanted)
        {
            if (!StatesOf(behind).TryGetValue(edit, out PreparedEdit? state))
            {
                state = prepared[next++];
                Keep(StatesOf(behind), edit, state);
            }

            items.Add(new TrainingItem(state, allocator.Find(edit.FactId)!));
        }
    }

    private Dictionary<EncodedEdit, PreparedEdit> StatesOf(bool behind) => behind ? behindSentence : alone;

    private void Keep(Dictionary<EncodedEdit, PreparedEdit> states, EncodedEdit edit, PreparedEdit state)
    {
        if (options.RehearsedRows + options.ReviewedEdits > 0 && bytes + state.Bytes <= options.RehearsalCacheBytes && states.TryAdd(edit, state))
        {
            bytes += state.Bytes;
        }
    }
}
