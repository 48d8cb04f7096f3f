using ElderManaged.Editing;
using ElderManaged.Editing.Elder;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Evaluation.Worlds;
using ElderManaged.Tensors;

namespace ElderManaged.Evaluation.Harness;

/// <summary>The numbers that shape the demonstration.</summary>
public sealed record DemoOptions
{
    /// <summary>Edits of the stream: <see cref="WordingsPerFact"/> for each fact.</summary>
    public int Edits { get; init; } = 200;

    /// <summary>Edits of a batch.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>Wordings of a fact that are edited; the others are held out.</summary>
    public int WordingsPerFact { get; init; } = 2;

    /// <summary>Prompts about facts that are not edited.</summary>
    public int UneditedPrompts { get; init; } = 200;

    /// <summary>Facts, neither edited nor asked, on which the scope decision is calibrated.</summary>
    public int CalibrationFacts { get; init; } = 400;

    /// <summary>Examples of each general task.</summary>
    public int TaskExamples { get; init; } = 50;

    /// <summary>Seed of everything that is chosen, and of the editors.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>
/// Which facts of a world are made to say something else, how they are asked afterwards, and what must stay as it is.
/// </summary>
/// <param name="Set">The edits and all questions.</param>
/// <param name="Truths">What is true of each of the set's edited prompts before the edit.</param>
/// <param name="Calibration">Facts that are neither edited nor asked about, in all their wordings.</param>
public sealed record DemoPlan(EvaluationSet Set, IReadOnlyList<string> Truths, IReadOnlyList<CalibrationFact> Calibration)
{
    // One unedited prompt in four is about an edited subject, but asks something else of it: the harder kind.
    private const int SameSubjectOneIn = 4;

    /// <summary>Chooses by the seed; the same seed gives the same plan.</summary>
    /// <param name="world">What the base model knows.</param>
    /// <param name="tasks">The general tasks.</param>
    /// <param name="options">Sizes and seed.</param>
    /// <exception cref="EditException">The world is too small, or the number of edits is not one of whole facts.</exception>
    public static DemoPlan Create(FactWorld world, TaskSuite? tasks, DemoOptions options)
    {
        ArgumentNullException.ThrowIfNull(world);
        ArgumentNullException.ThrowIfNull(options);
        int per = options.WordingsPerFact;
        Fact[] candidates = [.. world.Facts.Where(f => !FactWorld.IsKept(f) && IsEditable(world.RelationOf(f), per))];
        if (options.Edits < per || options.Edits % per != 0 || options.Edits / per > candidates.Length)
        {
            throw new EditException(
                $"{options.Edits} edits do not fit: each fact is edited in {per} wordings and the world has {candidates.Length} facts to edit; " +
                $"give a multiple of {per} from {per} to {per * candidates.Length}.");
        }

        RandomSource random = new(options.Seed);
        random.Shuffle<Fact>(candidates);
        Fact[] edited = candidates[..(options.Edits / per)];
        List<EditRequest> edits = [], heldOut = [];
        List<string> truths = [];
        foreach (Fact fact in edited)
        {
            Relation relation = world.RelationOf(fact);
            string[] lies = [.. relation.Objects.Where(o => o != fact.Object)];
            string target = lies[random.Next(lies.Length)];
            string[] wordings = [.. relation.Wordings];
            random.Shuffle<string>(wordings);
            for (int w = 0; w < wordings.Length; w++)
            {
                EditRequest request = new(Relation.Ask(wordings[w], fact.Subject), target) { Subject = fact.Subject, FactId = fact.Id };
                (w < per ? edits : heldOut).Add(request);
            }

            truths.AddRange(Enumerable.Repeat(fact.Object, per));
        }

        IReadOnlyList<Fact> probes = Probes(world, edited, options, random);
        string[] unedited = [.. probes.Select(f =>
        {
            string[] wordings = world.RelationOf(f).Wordings;
            return Relation.Ask(wordings[random.Next(wordings.Length)], f.Subject);
        })];
        HashSet<Fact> used = [.. edited, .. probes];
        return new DemoPlan(new EvaluationSet(edits, heldOut, unedited, tasks), truths, Calibrating(world, used, options, random));
    }

    private static bool IsEditable(Relation relation, int wordings) => relation.Objects.Length > 1 && relation.Wordings.Length > wordings;

    // Facts of the edited relations about other subjects, and some of other relations about the edited subjects.
    private static Fact[] Probes(FactWorld world, Fact[] edited, DemoOptions options, RandomSource random)
    {
        HashSet<string> ids = new(edited.Select(f => f.Id), StringComparer.Ordinal);
        HashSet<string> subjects = new(edited.Select(f => f.Subject), StringComparer.Ordinal);
        HashSet<string> relations = new(edited.Select(f => f.Relation), StringComparer.Ordinal);
        Fact[] near = [.. world.Facts.Where(f => !ids.Contains(f.Id) && subjects.Contains(f.Subject))];
        Fact[] alike = [.. world.Facts.Where(f => !subjects.Contains(f.Subject) && relations.Contains(f.Relation))];
        random.Shuffle<Fact>(near);
        random.Shuffle<Fact>(alike);
        Fact[] first = [.. near.Take(options.UneditedPrompts / SameSubjectOneIn)];
        return [.. first, .. alike.Take(options.UneditedPrompts - first.Length)];
    }

    // Whole subjects, because scope has to tell several facts about one subject apart.
    private static CalibrationFact[] Calibrating(FactWorld world, HashSet<Fact> used, DemoOptions options, RandomSource random)
    {
        Fact[] free = [.. world.Facts.Where(f => !used.Contains(f) && !FactWorld.IsKept(f))];
        string[] subjects = [.. free.Select(f => f.Subject).Distinct(StringComparer.Ordinal)];
        random.Shuffle<string>(subjects);
        ILookup<string, Fact> about = free.ToLookup(f => f.Subject, StringComparer.Ordinal);
        return [.. subjects.SelectMany(s => about[s]).Take(options.CalibrationFacts).Select(f =>
            new CalibrationFact(f.Id, f.Subject, [.. world.RelationOf(f).Wordings.Select(w => Relation.Ask(w, f.Subject))]))];
    }
}
