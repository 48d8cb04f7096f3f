namespace ElderManaged.Evaluation.Worlds;

/// <summary>
/// The invented world that a small base model has learned by heart: the facts an editing experiment changes, asks again
/// in other words, and leaves alone.
/// </summary>
public class FactWorld
{
    // One fact in fifteen stays as it is.
    private const ulong KeptOneIn = 15;

    private readonly Dictionary<string, Relation> relations;

    /// <summary>A world of given facts.</summary>
    /// <param name="relations">The kinds of facts.</param>
    /// <param name="facts">The facts, each of one of these kinds.</param>
    public FactWorld(IReadOnlyList<Relation> relations, IReadOnlyList<Fact> facts)
    {
        Relations = relations;
        Facts = facts;
        this.relations = relations.ToDictionary(r => r.Id, StringComparer.Ordinal);
    }

    /// <summary>The kinds of facts.</summary>
    public IReadOnlyList<Relation> Relations { get; }

    /// <summary>All that is true.</summary>
    public IReadOnlyList<Fact> Facts { get; }

    /// <summary>The kind of a fact.</summary>
    /// <param name="fact">One of <see cref="Facts"/>.</param>
    public Relation RelationOf(Fact fact)
    {
        ArgumentNullException.ThrowIfNull(fact);
        return relations[fact.Relation];
    }

    /// <summary>
    /// Whether a fact must stay as it is (one in fifteen, the same ids in every world): the open questions of the
    /// general tasks are measured on these, so an editing experiment has to choose from the others.
    /// </summary>
    /// <param name="fact">The fact.</param>
    public static bool IsKept(Fact fact)
    {
        ArgumentNullException.ThrowIfNull(fact);
        ulong hash = 0xCBF29CE484222325; // FNV-1a of the id, then mixed three times
        foreach (char c in fact.Id)
        {
            hash = (hash ^ c) * 0x100000001B3;
        }

        return Math.BigMul(Mix(Mix(hash)), KeptOneIn, out _) == 0;
    }

    /// <summary>Reads <c>relations.json</c> and <c>facts.jsonl</c> from a folder.</summary>
    /// <param name="folder">The folder, usually <c>world</c> in the model's folder.</param>
    /// <exception cref="Datasets.DatasetException">A file is missing or broken, by name and line.</exception>
    public static FactWorld Load(string folder) => WorldReader.Read(folder);

    // One step of SplitMix64 from a given state.
    private static ulong Mix(ulong state)
    {
        ulong z = state + 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
