using System.Text.Json;
using System.Text.RegularExpressions;
using ElderManaged.Evaluation.Datasets;

namespace ElderManaged.Evaluation.Tasks;

/// <summary>
/// The eight general tasks from the data sets as they are published (RTE, BoolQ, SST-2, MuTual, CoNLL-2003, Natural
/// Questions, GSM8K, SAMSum), asked in the wording of Gu et al. 2024.
/// </summary>
internal static partial class PublishedTasks
{
    private static readonly (string Tag, string Name)[] Entities = [("PER", "Person"), ("LOC", "Location"), ("ORG", "Organization"), ("MISC", "Miscellaneous")];

    /// <summary>Task, file, and how a record becomes an example; null for a record that asks nothing.</summary>
    private static readonly (string Task, string File, Func<JsonElement, (string Prompt, string Answer)?> Read)[] Forms =
    [
        ("nli", "rte", r => ($"{Text(r, "sentence1")} entails the {Text(r, "sentence2")}. True or False? answer:", r.GetProperty("label").GetInt32() == 0 ? "True" : "False")),
        ("boolq", "boolq", r => (
            $"Please answer the given question based on the passage. The answer should be exact 'yes' or 'no'. passage: {Text(r, "passage")} question: {Text(r, "question")}. answer:",
            r.GetProperty("answer").GetBoolean() ? "yes" : "no")),
        ("sentiment", "sst2", r => (
            $"For each snippet of text,label the sentiment of the text as positive or negative.The answer should be exact 'positive' or 'negative'. text: {Text(r, "sentence")} answer:",
            r.GetProperty("label").GetInt32() == 1 ? "positive" : "negative")),
        ("dialogue", "mutual", Dialogue),
        ("ner", "conll03", Entity),
        ("openqa", "nq", r => ($"Refer to your knowledge and answer the following question. Question: {Text(r, "question")}? Answer:", r.GetProperty("answer")[0].GetString()!)),
        ("arithmetic", "gsm8k", r =>
        {
            string[] parts = Text(r, "answer").Split("####");
            string hint = CalculatorNote().Replace(parts[0], "").Trim();
            return ($"Q: {Text(r, "question")} A:Let's think step by step. {hint} Therefore, the answer (arabic numerals) is:", parts[1].Trim());
        }),
        ("summary", "samsum", r => ($"{Text(r, "dialogue")}\nTL;DR:", Text(r, "summary"))),
    ];

    /// <summary>Whether a folder holds the files of all eight data sets.</summary>
    public static bool IsIn(string folder) => Forms.All(form => File.Exists(PathOf(folder, form.File)));

    /// <summary>Reads the first examples of each task.</summary>
    public static IEnumerable<TaskExample> Read(string folder, int limit) => Forms.SelectMany(form => Read(PathOf(folder, form.File), form.Task, form.Read).Take(limit));

    private static IEnumerable<TaskExample> Read(string path, string task, Func<JsonElement, (string Prompt, string Answer)?> read)
    {
        foreach ((int line, JsonElement record) in DatasetFile.Read(path).JsonRecords())
        {
            (string Prompt, string Answer)? example;
            try
            {
                example = read(record);
            }
            catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException or FormatException)
            {
                throw new DatasetException(path, line, $"is not a record of the task {task} ({e.Message.TrimEnd('.')})", e);
            }

            if (example is { } found)
            {
                yield return new TaskExample(task, found.Prompt, found.Answer);
            }
        }
    }

    private static (string, string)? Dialogue(JsonElement record)
    {
        string[] options = [.. record.GetProperty("options").EnumerateArray().Select((o, i) => $"({(char)('A' + i)}) {o.GetString()}")];
        return ($"Q: {Text(record, "article")} Which choice is correct? Answer Chioces: {string.Join(" ", options)} A: Among A through D, the answer is", Text(record, "answers"));
    }

    // The kind of entity that the sentence has first; sentences without any ask nothing.
    private static (string, string)? Entity(JsonElement record)
    {
        string[] tokens = [.. record.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()!)];
        string[] tags = [.. record.GetProperty("ner_tags").EnumerateArray().Select(t => t.GetString()!)];
        string? first = tags.FirstOrDefault(t => t.StartsWith("B-", StringComparison.Ordinal))?[2..];
        if (first is null)
        {
            return null;
        }

        List<string> names = [];
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tags[i] == $"B-{first}")
            {
                names.Add(tokens[i]);
            }
            else if (tags[i] == $"I-{first}" && names.Count > 0)
            {
                names[^1] += $" {tokens[i]}";
            }
        }

        string kind = Entities.First(e => e.Tag == first).Name;
        return ($"Please identify {kind} Entity from the given text. Text: {string.Join(' ', tokens)} Entity:", string.Join(", ", names));
    }

    private static string Text(JsonElement record, string field) => record.GetProperty(field).GetString()!.Trim();

    private static string PathOf(string folder, string file) => Path.Combine(folder, $"{file}.jsonl");

    // GSM8K's "<<16-3=13>>", meant for a calculator.
    [GeneratedRegex("<<[^>]*>>")]
    private static partial Regex CalculatorNote();
}
