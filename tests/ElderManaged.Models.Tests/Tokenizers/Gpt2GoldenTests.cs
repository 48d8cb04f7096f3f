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
        GoldenTexts.Equal(tokenizer, SharedData.PathOf(Golden), 655, special: true);
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
