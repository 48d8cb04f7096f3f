using ElderManaged.Evaluation.Tasks;
namespace ElderManaged.WeightsBuilder.World;

/// <summary>
/// Small forms of the eight tasks that show what a model keeps while it is edited: the prompts are like those of the
/// published ones, but short and easy enough for a model of a few million parameters.
/// </summary>
public static class GeneralTasks
{
    /// <summary>Examples to learn from, for most tasks.</summary>
    public const int TrainCount = 1500;

    /// <summary>Examples to measure with, per task.</summary>
    public const int TestCount = 150;

    /// <summary>The tasks' names, in the order of the published table.</summary>
    public static IReadOnlyList<string> Names { get; } = ["nli", "boolq", "sentiment", "dialogue", "ner", "openqa", "arithmetic", "summary"];

    /// <summary>Makes all tasks of a world.</summary>
    public static TaskSplit[] Create(SyntheticWorld world, ulong seed)
    {
        TaskMaker[] makers =
            [new NliTask(), new BoolQTask(), new SentimentTask(), new DialogueTask(), new NerTask(world), new OpenQaTask(world), new ArithmeticTask(), new SummaryTask()];
        return [.. makers.Select(maker => Create(maker, seed))];
    }

    /// <summary>Writes <c>&lt;task&gt;.train.jsonl</c> and <c>&lt;task&gt;.test.jsonl</c> into a folder.</summary>
    public static void Save(IEnumerable<TaskSplit> tasks, string folder)
    {
        foreach (TaskSplit task in tasks)
        {
            WorldFiles.SaveLines(PathOf(folder, task.Task, "train"), task.Train);
            WorldFiles.SaveLines(PathOf(folder, task.Task, "test"), task.Test);
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public static TaskSplit[] Load(string folder) => [.. Names.Select(name => new TaskSplit(
        name,
        WorldFiles.LoadLines<TaskExample>(PathOf(folder, name, "train")),
        WorldFiles.LoadLines<TaskExample>(PathOf(folder, name, "test"))))];

    private static string PathOf(string folder, string task, string split) => Path.Combine(folder, $"{task}.{split}.jsonl");

    // The running number decides the label, so both splits are balanced; a prompt that came before is drawn again.
    private static TaskSplit Create(TaskMaker maker, ulong seed)
    {
        Rng rng = Rng.For(seed, maker.Name);
        HashSet<string> prompts = new(StringComparer.Ordinal);
        List<TaskExample> examples = [];
        for (int tries = 0; examples.Count < TestCount + maker.TrainCount; tries++)
        {
            if (tries > 50 * (TestCount + maker.TrainCount))
            {
                throw new InvalidOperationException($"The task {maker.Name} has only {examples.Count} different prompts, but {TestCount + maker.TrainCount} are needed; give its templates more words.");
            }

            (string prompt, string answer) = maker.Make(rng, examples.Count);
            if (prompts.Add(prompt))
            {
                examples.Add(new TaskExample(maker.Name, prompt, answer));
            }
        }

        TaskExample[] test = [.. examples.Take(TestCount)];
        TaskExample[] train = [.. examples.Skip(TestCount)];
        rng.Shuffle(test);
        rng.Shuffle(train);
        return new TaskSplit(maker.Name, train, test);
    }
}

/// <summary>Makes the examples of one task.</summary>
internal abstract class TaskMaker(string name)
{
    public string Name => name;

    /// <summary>Examples to learn from.</summary>
    public virtual int TrainCount => GeneralTasks.TrainCount;

    /// <summary>Makes one example; <paramref name="number"/> runs over the test examples first, then over the others.</summary>
    public abstract (string Prompt, string Answer) Make(Rng rng, int number);

    protected static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
}
