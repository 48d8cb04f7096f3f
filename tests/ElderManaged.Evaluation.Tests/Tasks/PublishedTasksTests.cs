using ElderManaged.Evaluation.Datasets;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Testing;

namespace ElderManaged.Evaluation.Tests.Tasks;

public sealed class PublishedTasksTests : IDisposable
{
    private static readonly (string File, string Record, string Prompt, string Answer)[] Samples =
    [
        ("rte", """{"sentence1": "A cat sleeps.", "sentence2": "An animal sleeps.", "label": 0}""",
            "A cat sleeps. entails the An animal sleeps.. True or False? answer:", "True"),
        ("boolq", """{"question": "is ice cold", "passage": "Ice is cold.", "answer": true}""",
            "Please answer the given question based on the passage. The answer should be exact 'yes' or 'no'. passage: Ice is cold. question: is ice cold. answer:", "yes"),
        ("sst2", """{"sentence": "a dull film ", "label": 0}""",
            "For each snippet of text,label the sentiment of the text as positive or negative.The answer should be exact 'positive' or 'negative'. text: a dull film answer:", "negative"),
        ("mutual", """{"answers": "B", "options": ["f : no .", "f : yes ."], "article": "m : tea ?"}""",
            "Q: m : tea ? Which choice is correct? Answer Chioces: (A) f : no . (B) f : yes . A: Among A through D, the answer is", "B"),
        ("conll03", """{"tokens": ["Ada", "Lovelace", "and", "Bob", "met", "in", "Rome"], "ner_tags": ["B-PER", "I-PER", "O", "B-PER", "O", "O", "B-LOC"]}""",
            "Please identify Person Entity from the given text. Text: Ada Lovelace and Bob met in Rome Entity:", "Ada Lovelace, Bob"),
        ("nq", """{"question": "who wrote emma", "answer": ["Jane Austen", "Austen"]}""",
            "Refer to your knowledge and answer the following question. Question: who wrote emma? Answer:", "Jane Austen"),
        ("gsm8k", """{"question": "2 and 3?", "answer": "2+3 is <<2+3=5>>5.\n#### 5"}""",
            "Q: 2 and 3? A:Let's think step by step. 2+3 is 5. Therefore, the answer (arabic numerals) is:", "5"),
        ("samsum", """{"dialogue": "A: Hi", "summary": "A greets."}""", "A: Hi\nTL;DR:", "A greets."),
    ];

    private readonly TemporaryFolder folder = new();

    [Fact]
    public void EachDataSetIsAskedInItsWords()
    {
        Write();
        IReadOnlyList<TaskExample> examples = TaskSuite.Load(folder.Path).Examples;
        Assert.Equal(TaskMetric.All.Select(m => m.Task), examples.Select(e => e.Task));
        Assert.Equal(Samples.Select(s => (s.Prompt, s.Answer)), examples.Select(e => (e.Prompt, e.Answer)));
    }

    [Fact]
    public void ASentenceWithoutEntitiesAsksNothing()
    {
        Write();
        folder.WriteText("conll03.jsonl", """{"tokens": ["Rain"], "ner_tags": ["O"]}""" + "\n" + Samples[4].Record);
        Assert.Equal(8, TaskSuite.Load(folder.Path).Examples.Count);
    }

    [Fact]
    public void AWrongRecordIsNamed()
    {
        Write();
        folder.WriteText("gsm8k.jsonl", """{"question": "2 and 3?", "answer": "5"}""");
        DatasetException exception = Assert.Throws<DatasetException>(() => TaskSuite.Load(folder.Path));
        Assert.Contains("gsm8k.jsonl", exception.Message, StringComparison.Ordinal);
        Assert.Contains("arithmetic", exception.Message, StringComparison.Ordinal);
    }

    [SharedFact("data/tasks")]
    public void ThePublishedFilesAreRead()
    {
        TaskSuite suite = TaskSuite.Load(SharedData.PathOf("data", "tasks"), 20);
        Assert.All(suite.Examples.GroupBy(e => e.Task), task => Assert.Equal(20, task.Count()));
        Assert.Equal(160, suite.Examples.Count);
        Assert.All(suite.Examples, e => Assert.False(string.IsNullOrWhiteSpace(e.Answer) || e.Prompt.EndsWith(' ')));
    }

    public void Dispose() => folder.Dispose();

    private void Write()
    {
        foreach ((string file, string record, _, _) in Samples)
        {
            folder.WriteText($"{file}.jsonl", record);
        }
    }
}
