using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Models.Tests.Tokenizers;

public sealed class BpeTrainerTests
{
    private static readonly string[] Texts =
        [.. Enumerable.Range(0, 400).Select(i => $"The {i * i % 37}th river of {(char)('A' + i % 26)}{(char)('a' + i * 7 % 26)}landia flows past café {i}.")];

    [Fact]
    public void MostFrequentPairsComeFirstAndTiesFollowTheBytes()
    {
        // low ×5, lower ×2: "l o" and "o w" both 7 times; "l o" comes first by its bytes, then "lo w".
        ByteLevelBpe tokenizer = BpeTrainer.Train([new("low", 5), new("lower", 2)], 260);
        Assert.Equal(["lo", "low", "er"], tokenizer.Spellings.Skip(256).Take(3).ToArray());
        Assert.Equal(259, tokenizer.EndOfTextId);
        Assert.Equal(ByteLevelBpe.EndOfText, tokenizer.Spellings[^1]);
    }

    [Fact]
    public void IncrementalCountsEqualCountingAnew()
    {
        Dictionary<string, long> words = new(BpeTrainer.CountWords(Texts));
        ByteLevelBpe fast = BpeTrainer.Train(words, 320);
        Assert.Equal(CountedAnew(words, fast.Merges.Count), fast.Merges.Select(m => fast.Spellings[m.Left] + " " + fast.Spellings[m.Right]));
    }

    [Fact]
    public void TheOrderOfTheWordsDoesNotMatter()
    {
        IReadOnlyDictionary<string, long> words = BpeTrainer.CountWords(Texts);
        ByteLevelBpe one = BpeTrainer.Train(words.OrderBy(w => w.Key, StringComparer.Ordinal), 400);
        ByteLevelBpe two = BpeTrainer.Train(words.OrderByDescending(w => w.Value).ThenByDescending(w => w.Key, StringComparer.Ordinal), 400);
        Assert.Equal(one.Spellings, two.Spellings);
        Assert.Equal(one.Merges, two.Merges);
    }

    [Fact]
    public void TrainingStopsWhenNothingRepeats()
    {
        Assert.Equal(257, BpeTrainer.Train([new("abc", 1)], 4096).VocabularySize);
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train([], 256));
    }

    // The definition itself, with all pairs counted again before every merge.
    private static List<string> CountedAnew(Dictionary<string, long> counts, int merges)
    {
        ByteLevelBpe bytes = BpeTrainer.Train([], 257);
        List<(List<string> Word, long Count)> words = [.. counts.Select(w => (bytes.Encode(w.Key).Select(id => bytes.Spellings[id]).ToList(), w.Value))];
        List<string> result = [];
        for (int m = 0; m < merges; m++)
        {
            Dictionary<(string, string), long> pairs = [];
            foreach ((List<string> word, long count) in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    pairs[(word[i], word[i + 1])] = pairs.GetValueOrDefault((word[i], word[i + 1])) + count;
                }
            }

            (string left, string right) = pairs.OrderByDescending(p => p.Value)
                .ThenBy(p => Sortable(p.Key.Item1), StringComparer.Ordinal).ThenBy(p => Sortable(p.Key.Item2), StringComparer.Ordinal).First().Key;
            result.Add(left + " " + right);
            foreach ((List<string> word, _) in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] == left && word[i + 1] == right)
                    {
                        word[i] = left + right;
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }

        return result;
    }

    // The spelling with each character replaced by the byte it stands for ("Ġ" by a space).
    private static string Sortable(string spelling) => spelling.Replace('Ġ', ' ');
}
