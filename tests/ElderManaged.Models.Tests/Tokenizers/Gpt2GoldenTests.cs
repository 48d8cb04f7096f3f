using System.Text.Json;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>The published GPT-2 vocabulary gives the ids of the reference implementation.</summary>
public sealed class Gpt2GoldenTests
{
    private const string Vocabulary = "data/tokenizers/gpt2";
    private const string Golden = "goldens/tokenizers/gpt2.jsonl";

    [SharedFact(Vocabulary, Golden)]
    public void IdsAndTextEqualTheGolden()
    {
        ByteLevelBpe tokenizer = ByteLevelBpe.Load(SharedData.PathOf(Vocabulary));
        Assert.Equal(50257, tokenizer.VocabularySize);
        Assert.Equal(50256, tokenizer.EndOfTextId);
        int texts = 0;
        foreach (string line in File.ReadLines(SharedData.PathOf(Golden)))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string text = row.RootElement.GetProperty("text").GetString()!;
            int[] ids = [.. row.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.True(ids.SequenceEqual(tokenizer.EncodeWithSpecial(text)), $"Text {texts}: {text}");
            Assert.Equal(text, tokenizer.Decode(ids));
            texts++;
        }

        Assert.Equal(655, texts);
    }

    [SharedFact(Vocabulary)]
    public void SavedGoldenVocabularyReadsBackTheSame()
    {
        ByteLevelBpe tokenizer = ByteLevelBpe.Load(SharedData.PathOf(Vocabulary));
        string folder = Directory.CreateTempSubdirectory("bpe").FullName;
        tokenizer.Save(folder);
        ByteLevelBpe again = ByteLevelBpe.Load(folder);
        Assert.Equal(tokenizer.Spellings, again.Spellings);
        Assert.Equal(tokenizer.Merges, again.Merges);
        Directory.Delete(folder, recursive: true);
    }
}
