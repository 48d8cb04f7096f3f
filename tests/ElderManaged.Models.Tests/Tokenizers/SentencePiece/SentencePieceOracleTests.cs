using System.Text.RegularExpressions;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;
using FsCheck;
using FsCheck.Fluent;
using Oracle = Microsoft.ML.Tokenizers;

namespace ElderManaged.Models.Tests.Tokenizers.SentencePiece;

/// <summary>Microsoft.ML.Tokenizers gives the same ids for any text, but for what is left out here on purpose.</summary>
public sealed partial class SentencePieceOracleTests
{
    // Left out: control tokens, which the oracle finds in any text; and runs of one character, whose pieces merge in an order of their
    // own there ("aaa" as "a" and "aa" at times, where SentencePiece takes the leftmost of equal pairs first). Runs of two stay.
    [SharedFact("data/tokenizers/llama2/tokenizer.model")]
    public void Llama2() => Compare(SharedData.PathOf("data/tokenizers/llama2/tokenizer.model"), UnicodeTexts.Any().Generator.Select(text =>
        WithoutRuns($"a{text.Replace("<s>", "", StringComparison.Ordinal)}")[1..])); // behind the "a" of Compare

    // Only characters of the vocabulary: for others the oracle's unigram model gives ids that the vocabulary does not have.
    [Fact]
    public void Unigram()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("tokenizer.model");
        File.WriteAllBytes(path, ModelBuilder.Unigram());
        Compare(path, Gen.Elements(" ", "  ", "the", " the", "th", "t", "h", "e", "a", " a", "1", "12", "123", "数", "é").ListOf().Select(parts => string.Concat(parts)));
    }

    [GeneratedRegex(@"([^ ])\1{2,}", RegexOptions.Singleline)]
    private static partial Regex Runs();

    private static string WithoutRuns(string text) => Runs().Replace(text, "$1$1");

    private static void Compare(string path, Gen<string> texts)
    {
        ITokenizer ours = Tokenizer.Load(path);
        using FileStream file = File.OpenRead(path);
        Oracle.SentencePieceTokenizer theirs = Oracle.SentencePieceTokenizer.Create(file, addBeginningOfSentence: false, addEndOfSentence: false);
        Prop.ForAll(texts.ToArbitrary(), sample =>
        {
            string text = "a" + sample; // of empty text the oracle makes a lone space
            int[] expected = [.. theirs.EncodeToIds(text)], actual = ours.Encode(text);
            return expected.SequenceEqual(actual).Label($"{text}: oracle {string.Join(' ', expected)}, ours {string.Join(' ', actual)}");
        }).QuickCheckThrowOnFailure();
    }
}
