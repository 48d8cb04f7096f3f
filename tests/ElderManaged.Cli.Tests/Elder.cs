using System.Text.Json;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Evaluation.Worlds;
using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Cli.Tests;

/// <summary>What a command printed, and how it ended.</summary>
internal sealed record Outcome(int Code, string Out, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Out).RootElement;
}

/// <summary>Runs commands in this process, on a small random model with a world and tasks of its own.</summary>
internal sealed class Elder : IDisposable
{
    private static readonly Lazy<TemporaryFolder> Prepared = new(Prepare);
    private readonly TemporaryFolder folder = new();

    /// <summary>A folder for the test's own files.</summary>
    public string Folder => folder.Path;

    /// <summary>The model that all tests share; never to be changed.</summary>
    public static string Model => Prepared.Value.Path;

    public static Outcome Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int code = Program.Run(args, output, error);
        return new Outcome(code, output.ToString(), error.ToString());
    }

    public string PathOf(string name) => folder.File(name);

    public string Write(string name, string text) => folder.WriteText(name, text);

    /// <summary>A copy of the model that a test may damage.</summary>
    public string CopyOfModel()
    {
        string copy = PathOf("model");
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Model))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }

    public void Dispose() => folder.Dispose();

    private static TemporaryFolder Prepare()
    {
        TemporaryFolder folder = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        Environment.SetEnvironmentVariable("ELDER_HOME", folder.File("home")); // calibrations are not left on the machine
        Relation[] relations =
        [
            new("born_in", "", [.. Enumerable.Range(0, 5).Select(i => $"wording {i}: {{s}} was born in")], ["Ova", "Nebek", "Tarn"]),
            new("plays", "", [.. Enumerable.Range(0, 5).Select(i => $"wording {i}: {{s}} plays the")], ["violin", "flute", "drum"]),
        ];
        Fact[] facts =
        [
            .. Enumerable.Range(1, 30).Select(i => new Fact($"f{i}", $"Person{i}", "born_in", i % 2 == 0 ? "Ova" : "Tarn")),
            .. Enumerable.Range(1, 30).Select(i => new Fact($"f{i + 30}", $"Person{i}", "plays", i % 2 == 0 ? "flute" : "drum")),
        ];
        FactWorld world = new(relations, facts);
        ByteLevelBpe tokenizer = BpeTrainer.Train(
            BpeTrainer.CountWords(facts.SelectMany(f => world.RelationOf(f).Wordings.Select(w => $"{Relation.Ask(w, f.Subject)} {f.Object}"))), 330);
        tokenizer.Save(folder.Path);
        Gpt2Config config = new()
        {
            VocabSize = tokenizer.VocabularySize, MaxPositions = 64, HiddenSize = 16, InnerSize = 32, LayerCount = 2, HeadCount = 2,
            TieWordEmbeddings = true, EosTokenIds = new TokenIds(tokenizer.EndOfTextId),
        };
        TransformerModel.CreateTrainable(config, seed: 5).Save(folder.Path);

        Directory.CreateDirectory(folder.File("world"));
        folder.WriteText("world/relations.json", JsonSerializer.Serialize(relations, JsonSerializerOptions.Web));
        folder.WriteText("world/facts.jsonl", string.Join('\n', facts.Select(f => JsonSerializer.Serialize(f, JsonSerializerOptions.Web))));
        Directory.CreateDirectory(folder.File("tasks"));
        foreach (TaskMetric metric in TaskMetric.All)
        {
            folder.WriteText($"tasks/{metric.Task}.test.jsonl", $$"""{"prompt":"a {{metric.Task}} of Ova:","answer":"yes"}""");
        }

        return folder;
    }
}
