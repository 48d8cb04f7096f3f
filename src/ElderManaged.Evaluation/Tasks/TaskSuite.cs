using System.Text.Json;
using ElderManaged.Evaluation.Datasets;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Evaluation.Tasks;

/// <summary>The outcome of one example.</summary>
/// <param name="Example">The question.</param>
/// <param name="Generated">What the model wrote.</param>
/// <param name="Score">In [0, 1].</param>
public sealed record TaskOutcome(TaskExample Example, string Generated, double Score);

/// <summary>
/// The general tasks whose mean score shows what a model keeps while it is edited (test retention).
/// </summary>
public sealed class TaskSuite
{
    private const int Batch = 32;

    /// <summary>A suite of given examples.</summary>
    public TaskSuite(IEnumerable<TaskExample> examples) => Examples = [.. examples];

    /// <summary>All examples, task after task.</summary>
    public IReadOnlyList<TaskExample> Examples { get; }

    /// <summary>
    /// Reads <c>&lt;task&gt;.test.jsonl</c> of all eight tasks from a folder, or the data sets as published: <c>rte.jsonl</c>,
    /// <c>boolq.jsonl</c>, <c>sst2.jsonl</c>, <c>mutual.jsonl</c>, <c>conll03.jsonl</c>, <c>nq.jsonl</c>, <c>gsm8k.jsonl</c> and
    /// <c>samsum.jsonl</c>.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="limit">The most examples of each task.</param>
    /// <exception cref="DatasetException">A file is missing or broken, by name and line.</exception>
    public static TaskSuite Load(string folder, int limit = int.MaxValue) => PublishedTasks.IsIn(folder)
        ? new(PublishedTasks.Read(folder, limit))
        : new(TaskMetric.All.SelectMany(metric => Read(Path.Combine(folder, $"{metric.Task}.test.jsonl"), metric.Task).Take(limit)));

    /// <summary>Generates and scores an answer to every example.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="prepare">Reads prompts: the base model's or an edited model's way.</param>
    /// <param name="progress">Called with the number of examples done.</param>
    /// <param name="cancellationToken">Stops between batches.</param>
    public IReadOnlyList<TaskOutcome> Run(
        ITokenizer tokenizer, Func<IReadOnlyList<int[]>, PromptBatch> prepare,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(prepare);
        List<TaskOutcome> outcomes = [];
        foreach (IGrouping<string, TaskExample> task in Examples.GroupBy(e => e.Task))
        {
            TaskMetric metric = TaskMetric.Of(task.Key);
            IEnumerable<(TaskExample Example, int[] Prompt)> encoded = task.Select(e => (e, tokenizer.EncodePrompt(e.Prompt)));
            foreach ((TaskExample Example, int[] Prompt)[] chunk in PromptChunks.Split(encoded, e => e.Prompt.Length, Batch))
            {
                cancellationToken.ThrowIfCancellationRequested();
                PromptBatch prompts = prepare([.. chunk.Select(e => e.Prompt)]);
                int[][] answers = Generator.Generate(prompts, new GenerationOptions { MaxTokens = metric.MaxTokens }, cancellationToken: cancellationToken);
                outcomes.AddRange(chunk.Select(e => e.Example).Zip(answers, (example, ids) =>
                {
                    string text = tokenizer.Decode(ids);
                    return new TaskOutcome(example, text, metric.Score(text, example.Answer));
                }));
                progress?.Report(outcomes.Count);
            }
        }

        return outcomes;
    }

    /// <summary>The mean score of each task, in the order of <see cref="TaskMetric.All"/>.</summary>
    public static IReadOnlyList<(string Task, double Score)> Scores(IEnumerable<TaskOutcome> outcomes) =>
        [.. outcomes.GroupBy(o => o.Example.Task).Select(task => (task.Key, task.Average(o => o.Score)))];

    /// <summary>The mean over tasks of their mean scores: test retention.</summary>
    public static double Mean(IEnumerable<TaskOutcome> outcomes) => Scores(outcomes).Average(task => task.Score);

    private static IEnumerable<TaskExample> Read(string path, string task)
    {
        if (!File.Exists(path))
        {
            throw new DatasetException(path, null, "the file is missing; a folder of general tasks has one for each of the eight tasks");
        }

        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            TaskExample example;
            try
            {
                using JsonDocument json = JsonDocument.Parse(line);
                example = new TaskExample(task, json.RootElement.GetProperty("prompt").GetString()!, json.RootElement.GetProperty("answer").GetString()!);
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new DatasetException(path, number, $"not an object with \"prompt\" and \"answer\" ({e.Message.TrimEnd('.')})", e);
            }

            yield return example;
        }
    }
}
