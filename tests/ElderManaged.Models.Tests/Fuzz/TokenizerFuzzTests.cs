using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Fuzz;

/// <summary>Damaged tokenizer files of every kind: each gives a tokenizer that encodes and decodes, or is refused in one clear sentence.</summary>
public sealed class TokenizerFuzzTests
{
    private static readonly ByteLevelBpe Small = BpeTrainer.Train(BpeTrainer.CountWords(["the cat sat on the mat, the cat's hat"]), 270);

    [Fact]
    public void Vocabularies() => Holds("vocab.json", 4_000, [Saved("vocab.json")], beside: ("merges.txt", Saved("merges.txt")));

    [Fact]
    public void Merges() => Holds("merges.txt", 3_000, [Saved("merges.txt")], beside: ("vocab.json", Saved("vocab.json")));

    [Fact]
    public void TokenizerJson() => Holds("tokenizer.json", 5_000, [Encoding.UTF8.GetBytes(Json().ToJsonString())]);

    [Fact]
    public void SentencePieceModels() => Holds("tokenizer.model", 5_000, [Fixture("tok512.model")]);

    [Fact]
    public void Llama2CVocabularies() => Holds("tok512.bin", 3_000, [Fixture("tok512.bin")]);

    private static void Holds(string name, int cases, byte[][] corpus, (string Name, byte[] Bytes)? beside = null)
    {
        using var folder = new TemporaryFolder();
        ConcurrentBag<string> folders = []; // one for each thread at a time
        int count = 0;
        FuzzRun.Holds(corpus, cases, bytes =>
        {
            if (!folders.TryTake(out string? mine))
            {
                mine = folder.File($"{Interlocked.Increment(ref count)}");
                Directory.CreateDirectory(mine);
                if (beside is { } other)
                {
                    File.WriteAllBytes(Path.Combine(mine, other.Name), other.Bytes);
                }
            }

            try
            {
                string path = Path.Combine(mine, name);
                File.WriteAllBytes(path, bytes);
                ITokenizer tokenizer = Tokenizer.Load(path);
                int[] ids = tokenizer.Encode("the cat's hat é");
                Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
                tokenizer.Decode(ids);
            }
            finally
            {
                folders.Add(mine);
            }
        });
    }

    private static byte[] Saved(string name)
    {
        using var folder = new TemporaryFolder();
        Small.Save(folder.Path);
        return File.ReadAllBytes(folder.File(name));
    }

    private static byte[] Fixture(string name) => File.ReadAllBytes(
        Path.Combine(SharedData.RequireRepository(), "tests", "ElderManaged.Models.Tests", "Tokenizers", "Fixtures", name));

    private static JsonObject Json() => new()
    {
        ["version"] = "1.0",
        ["added_tokens"] = new JsonArray(new JsonObject { ["id"] = Small.EndOfTextId, ["content"] = ByteLevelBpe.EndOfText, ["special"] = true }),
        ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true },
        ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["vocab"] = new JsonObject(Small.Spellings.Select((spelling, id) => KeyValuePair.Create(spelling, (JsonNode?)id))),
            ["merges"] = new JsonArray([.. Small.Merges.Select(m => (JsonNode?)$"{Small.Spellings[m.Left]} {Small.Spellings[m.Right]}")]),
        },
    };
}
