using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;
using FsCheck;
using FsCheck.Fluent;
using Oracle = Microsoft.ML.Tokenizers;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>Microsoft.ML.Tokenizers gives the same ids for any text with GPT-2's vocabulary.</summary>
public sealed class ByteLevelOracleTests
{
    [Fact]
    public void Gpt2()
    {
        (string[] tokens, string[] merges) = TokenizerFixtures.Vocabulary("gpt2.txt.gz");
        ByteLevelBpe ours = new(tokens, [.. merges.Select(m => (m.Split(' ')[0], m.Split(' ')[1]))]);
        using TemporaryFolder folder = new();
        ours.Save(folder.Path);
        using FileStream vocabulary = File.OpenRead(folder.File("vocab.json"));
        using FileStream mergesFile = File.OpenRead(folder.File("merges.txt"));
        Oracle.CodeGenTokenizer theirs = Oracle.CodeGenTokenizer.Create(vocabulary, mergesFile, addPrefixSpace: false, addBeginOfSentence: false, addEndOfSentence: false);
        // Left out: runs of spaces or tabs, which this oracle's own model has added tokens for; characters beyond U+FFFF, which
        // its expression sees as two signs, so that "𫬞's" is cut wrongly.
        Prop.ForAll(UnicodeTexts.Any(), sample =>
        {
            string text = string.Join(' ', string.Concat(sample.Where(c => !char.IsSurrogate(c))).Replace('\t', ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries));
            int[] expected = [.. theirs.EncodeToIds(text)], actual = ours.Encode(text);
            return expected.SequenceEqual(actual).Label($"{text}: oracle {string.Join(' ', expected)}, ours {string.Join(' ', actual)}");
        }).QuickCheckThrowOnFailure();
    }
}
