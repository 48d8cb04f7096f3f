using System.Text;
using ElderManaged.Evaluation.Datasets;
using ElderManaged.Testing;

namespace ElderManaged.Evaluation.Tests.Datasets;

public class EditDatasetTests
{
    private const string CounterFact = """
        {"case_id": 7, "requested_rewrite": {"prompt": "The mother tongue of {} is", "subject": "Danielle Darrieux", "target_new": {"str": "English"}, "target_true": {"str": "French"}}, "paraphrase_prompts": ["Danielle Darrieux spoke", " "], "neighborhood_prompts": ["The language of Montesquieu is"]}
        """;

    private const string Mend = """
        {"subject": "Atlanta Flames", "src": "When did the Atlanta Flames end?", "pred": "1", "rephrase": "Last year of Atlanta Flames?", "alt": " 1979 ", "answers": ["1980", "80"], "loc": "nq question: what is the minimum age", "loc_ans": "16"}
        """;

    private const string Grace = """{"id": "x9", "input": "Who wrote Emma?", "output": [{"provenance": []}, {"answer": "Jane Austen"}], "filtered_rephrases": ["Emma was written by?", "Author of Emma?"]}""";

    [Fact]
    public void CounterFactIsRead()
    {
        EditDataset data = Load(CounterFact);
        EditRecord record = Assert.Single(data.Records);
        Assert.Equal(EditDatasetFormat.CounterFact, data.Format);
        Assert.Equal("7", record.Id);
        Assert.Equal("The mother tongue of Danielle Darrieux is", record.Edit.Prompt);
        Assert.Equal("English", record.Edit.Target);
        Assert.Equal("Danielle Darrieux", record.Edit.Subject);
        Assert.Equal("7", record.Edit.FactId);
        Assert.Equal(["Danielle Darrieux spoke"], record.Rephrasings);
        Assert.Equal([new LocalityProbe("The language of Montesquieu is", "French")], record.Locality);
        Assert.Equal("French", record.TargetTrue);
    }

    [Fact]
    public void ZsreOfMendIsReadWithEitherTarget()
    {
        EditRecord answers = Assert.Single(Load(Mend).Records);
        Assert.Equal("1980", answers.Edit.Target);
        Assert.Null(answers.TargetTrue);
        Assert.Equal("1", answers.Id);
        Assert.Equal(["Last year of Atlanta Flames?"], answers.Rephrasings);
        Assert.Equal([new LocalityProbe("nq question: what is the minimum age?", "16")], answers.Locality);

        EditRecord alternative = Assert.Single(Load(Mend, new() { ZsreTarget = ZsreTarget.Alt }).Records);
        Assert.Equal("1979", alternative.Edit.Target);
        Assert.Equal("1980", alternative.TargetTrue);
    }

    [Fact]
    public void RecordsWithoutAnAlternativeAreSkippedAndCounted()
    {
        string blank = Mend.Replace(" 1979 ", " ", StringComparison.Ordinal);
        string none = Mend.Replace("\"alt\"", "\"other\"", StringComparison.Ordinal);
        EditDataset data = Load($"{blank}\n{none}\n{Mend}", new() { ZsreTarget = ZsreTarget.Alt });
        Assert.Equal("3", Assert.Single(data.Records).Id);
        Assert.Equal(2, data.Skipped);
        Assert.Contains("all 1 records lack an alternative target", Failure(none, options: new() { ZsreTarget = ZsreTarget.Alt }), StringComparison.Ordinal);
    }

    [Fact]
    public void ZsreOfGraceIsRead()
    {
        EditDataset data = Load(Grace);
        EditRecord record = Assert.Single(data.Records);
        Assert.Equal(EditDatasetFormat.ZsreGrace, data.Format);
        Assert.Equal(("x9", "Who wrote Emma?", "Jane Austen"), (record.Id, record.Edit.Prompt, record.Edit.Target));
        Assert.Equal(2, record.Rephrasings.Count);
        Assert.Empty(record.Locality);
    }

    [Theory]
    [InlineData("[{\"prompt\":\"P Q\",\"target\":\"T\",\"subject\":\"Q\",\"rephrasings\":[\"R\",\"S\"]}]", EditDatasetFormat.Plain)]
    [InlineData("\r\n{\"target\":\" T\",\"prompt\":\"P Q \",\"subject\":\"Q\",\"rephrasings\":[\"R\",\"S\"]}\r\n\r\n", EditDatasetFormat.Plain)]
    [InlineData("prompt,target,subject,rephrasings\nP Q,T,Q,R | S\n", EditDatasetFormat.Csv)]
    [InlineData("note,Target,rephrasings,prompt,subject\r\n\"a,\r\n\"\"b\"\"\",T,\" R | S | \",\"P Q\",Q", EditDatasetFormat.Csv)]
    public void PlainEditsAreTheSameInEveryForm(string content, EditDatasetFormat format)
    {
        EditDataset data = Load(content);
        EditRecord record = Assert.Single(data.Records);
        Assert.Equal(format, data.Format);
        Assert.Equal(("1", "P Q", "T", "Q"), (record.Id, record.Edit.Prompt, record.Edit.Target, record.Edit.Subject));
        Assert.Equal(["R", "S"], record.Rephrasings);
    }

    [Fact]
    public void LimitCountsOnlyWhatIsTaken()
    {
        const string lines = """
            {"input":"a","output":[{"answer":"b"}],"filtered_rephrases":[]}
            {"input":"c","output":[{"answer":"d"}],"filtered_rephrases":["e"]}
            {"input":"f","output":[{"answer":"g"}],"filtered_rephrases":["h"]}
            broken, but after the last line that is needed
            """;
        EditDataset data = Load(lines, new() { Limit = 2, RequireRephrasing = true });
        Assert.Equal(["c", "f"], data.Records.Select(record => record.Edit.Prompt));
        Assert.Equal(1, data.Skipped);
        Assert.Throws<ArgumentOutOfRangeException>(() => Load(lines, new() { Limit = 0 }));
    }

    [Fact]
    public void PlainEditsNeedNoRephrasing()
    {
        EditDataset data = Load("""{"prompt":"a","target":"b"}""", new() { RequireRephrasing = true });
        Assert.Equal("a", Assert.Single(data.Records).Edit.Prompt);
    }

    [Fact]
    public void AByteOrderMarkIsAccepted()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("bom.jsonl");
        File.WriteAllText(path, """{"prompt":"é","target":"b"}""", new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.Equal("é", Assert.Single(EditDataset.Load(path).Records).Edit.Prompt);
    }

    [Theory]
    [InlineData("", null, "is empty")]
    [InlineData(" \n\n", null, "is empty")]
    [InlineData("[]", null, "has no records")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"b\"}\n{\"prompt\":", 2, "invalid JSON at byte")]
    [InlineData("[\n{\"prompt\":\"a\",\"target\":\"b\"},\n{x}]", 3, "invalid JSON at byte 2: 'x' is an invalid start of a property name")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"b\"}\n7", 2, "record 2 is not a JSON object")]
    [InlineData("[{\"prompt\":\"a\",\n\"target\":\"b\"}\n,\n\n{\"prompt\":\"a\"}]", 5, "target is missing or blank")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"  \"}", 1, "target is missing or blank")]
    [InlineData("{\"target\":\"a\"}", 1, "prompt is missing or blank")]
    [InlineData("{\"prompt\":\"a\",\"target\":7}", 1, "target is not a text")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"b\\u0000\"}", 1, "target contains a NUL character")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"\\ud800\"}", 1, "target is not valid Unicode")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"b\"}\n\0", 2, "contains a NUL character")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"b\",\"rephrasings\":\"c\"}", 1, "rephrasings is not a list")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"b\",\"rephrasings\":[1]}", 1, "an entry of rephrasings is not a text")]
    [InlineData("{\"prompt\":\"a\",\"target\":\"b\",\"subject\":\"c\"}", 1, "the subject 'c' does not occur in the prompt 'a'")]
    [InlineData("{\"id\":1,\"prompt\":\"a\",\"target\":\"b\"}\n{\"id\":1,\"prompt\":\"a\",\"target\":\"b\"}", null, "the id '1' is used twice")]
    [InlineData("{\"question\":\"a\"}", 1, "is of no known form")]
    [InlineData("{\"requested_rewrite\":{\"prompt\":\"no place\",\"subject\":\"s\"}}", 1, "requested_rewrite.prompt has 0 places {} for the subject")]
    [InlineData("{\"requested_rewrite\":{\"prompt\":\"{}\"}}", 1, "requested_rewrite.subject is missing")]
    [InlineData("{\"requested_rewrite\":{\"prompt\":\"{}\",\"subject\":\"s\"}}", 1, "requested_rewrite.target_true is missing or not an object")]
    [InlineData("{\"src\":\"a\",\"answers\":[\" \"]}", 1, "answers has no answer")]
    [InlineData("{\"input\":\"a\",\"output\":[{}]}", 1, "output has no answer")]
    [InlineData("{\"input\":\"a\",\"output\":[{\"answer\":1}]}", 1, "output[0].answer is not a text")]
    [InlineData("prompt,answer\na,b\n", 1, "not a header with the columns prompt and target (found: prompt, answer)")]
    [InlineData("prompt,target,Prompt\na,b,c\n", 1, "names the column 'Prompt' twice")]
    [InlineData("prompt,target\n", null, "has no records")]
    [InlineData("prompt,target\n\"a\n\",b\nc,\n", 4, "target is missing or blank")]
    [InlineData("prompt,target\na,b,c\n", 2, "has 3 fields, the header has 2")]
    [InlineData("prompt,target\na,\"b\n\n", 2, "quoted field that never ends")]
    [InlineData("prompt,target\na,b\"c\n", 2, "a quote inside a field")]
    [InlineData("prompt,target\na,\"b\"c\n", 2, "text after a closing quote")]
    public void ErrorsNameTheFileAndTheLine(string content, int? line, string expected)
    {
        string message = Failure(content, line);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", message, StringComparison.Ordinal);
    }

    [Fact]
    public void OtherEncodingsAreNamed()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("latin1.jsonl");
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes("{\"prompt\":\"a\",\"target\":\"b\"}\n{\"prompt\":\"\u00e9\",\"target\":\"b\"}\n"));
        var exception = Assert.Throws<DatasetException>(() => EditDataset.Load(path));
        Assert.Equal(2, exception.Line);
        Assert.Contains("is not UTF-8", exception.Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("prompt,target")).ToArray());
        Assert.Contains("is not UTF-8", Assert.Throws<DatasetException>(() => EditDataset.Load(path)).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Throws<DatasetException>(() => EditDataset.Load(folder.File("absent"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedFilesLoadOrFailCleanly()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("damaged");
        var random = new Random(7);
        int loaded = 0, refused = 0;
        foreach (string valid in new[] { CounterFact, Mend, Grace, "[" + Grace + "]", "prompt,target\n\"a, b\",c\nd,e\n" })
        {
            for (int i = 0; i < 100; i++)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(valid);
                for (int n = random.Next(1, 4); n > 0; n--)
                {
                    bytes[random.Next(bytes.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)"\",:{}[]\\\n0a"[random.Next(11)];
                }

                File.WriteAllBytes(path, bytes);
                try
                {
                    Assert.NotEmpty(EditDataset.Load(path).Records);
                    loaded++;
                }
                catch (DatasetException)
                {
                    refused++;
                }
            }
        }

        Assert.True(loaded > 50 && refused > 50, $"{loaded} loaded, {refused} refused");
    }

    [SharedFact("data/counterfact", "data/zsre")]
    public void PublishedFilesLoadCompletely()
    {
        EditDataset counterFact = EditDataset.Load(SharedData.PathOf("data", "counterfact", "counterfact.jsonl"));
        Assert.Equal(4558, counterFact.Records.Count);
        Assert.All(counterFact.Records, record => Assert.NotEmpty(record.Rephrasings));
        Assert.All(counterFact.Records, record => Assert.Contains(record.Edit.Subject!, record.Edit.Prompt, StringComparison.Ordinal));
        Assert.Equal(3657 + (2 * 901), counterFact.Records.Sum(record => record.Rephrasings.Count));

        EditDataset more = EditDataset.Load(SharedData.PathOf("data", "counterfact", "counterfact_more.jsonl"));
        Assert.Equal(12694, more.Records.Count);

        string zsre = SharedData.PathOf("data", "zsre", "zsre.jsonl");
        Assert.Equal(8848, EditDataset.Load(zsre).Records.Count);
        EditDataset alternative = EditDataset.Load(zsre, new() { ZsreTarget = ZsreTarget.Alt });
        Assert.InRange(alternative.Records.Count, 1600, 1621); // 1,621 have the field, a few are blank
        Assert.Equal(8848, alternative.Records.Count + alternative.Skipped);
        Assert.All(alternative.Records, record => Assert.EndsWith("?", Assert.Single(record.Locality).Prompt, StringComparison.Ordinal));
        Assert.Equal(1000, EditDataset.Load(zsre, new() { Limit = 1000, RequireRephrasing = true }).Records.Count);
    }

    private static EditDataset Load(string content, EditDatasetOptions? options = null)
    {
        using var folder = new TemporaryFolder();
        return EditDataset.Load(folder.WriteText("edits", content), options);
    }

    private static string Failure(string content, int? line = null, EditDatasetOptions? options = null)
    {
        using var folder = new TemporaryFolder();
        string path = folder.WriteText("edits", content);
        var exception = Assert.Throws<DatasetException>(() => EditDataset.Load(path, options));
        Assert.Equal(line, exception.Line);
        Assert.StartsWith(line is null ? $"{path}: " : $"{path}, line {line}: ", exception.Message, StringComparison.Ordinal);
        return exception.Message;
    }
}
