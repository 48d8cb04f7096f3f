using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;
using FsCheck;
using FsCheck.Fluent;
using Oracle = Microsoft.ML.Tokenizers;

namespace ElderManaged.Models.Tests.Tokenizers.SentencePiece;

/// <summary>Microsoft.ML.Tokenizers gives the same ids for any text.</summary>
public sealed class SentencePieceOracleTests
{
    [SharedFact("data/tokenizers/llama2/tokenizer.model")]
    public void Llama2() => Compare(SharedData.PathOf("data/tokenizers/llama2/tokenizer.model"));

    [Fact]
    public void Unigram()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("tokenizer.model");
        File.WriteAllBytes(path, ModelBuilder.Unigram());
        Compare(path);
    }

    private static void Compare(string path)
    {
        ITokenizer ours = Tokenizer.Load(path);
        using FileStream file = File.OpenRead(path);
        Oracle.SentencePieceTokenizer theirs = Oracle.SentencePieceTokenizer.Create(file, addBeginningOfSentence: false, addEndOfSentence: false);
        // Two differences aside: the oracle makes a lone space of empty text, and finds control tokens in any text.
        Prop.ForAll(UnicodeTexts.Any(), sample =>
        {
            string text = "a" + sample.Replace("<s>", "", StringComparison.Ordinal);
            int[] expected = [.. theirs.EncodeToIds(text)], actual = ours.Encode(text);
            return expected.SequenceEqual(actual).Label($"{text}: oracle {string.Join(' ', expected)}, ours {string.Join(' ', actual)}");
        }).QuickCheckThrowOnFailure();
    }
}
