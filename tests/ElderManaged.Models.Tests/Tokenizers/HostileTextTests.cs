using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>A megabyte of one letter would take hours if each merge looked at the whole word again.</summary>
public sealed class HostileTextTests
{
    private const int Million = 1_000_000;

    private static readonly Dictionary<string, Func<string>> Texts = new()
    {
        ["one letter"] = () => new string('a', Million),
        ["spaces, then a word"] = () => new string(' ', Million) + "a",
        ["line breaks and spaces"] = () => string.Concat(Enumerable.Repeat("\n ", Million / 2)),
        ["emoji"] = () => string.Concat(Enumerable.Repeat("😀", Million / 2)),
        ["half a special token"] = () => string.Concat(Enumerable.Repeat("<|im_", Million / 5)),
        ["special tokens"] = () => string.Concat(Enumerable.Repeat("<|endoftext|>", Million / 13)),
        ["new words"] = () => string.Concat(Enumerable.Range(0, Million / 8).Select(i => $" w{i:x6}")),
    };

    public static TheoryData<string> Names() => [.. Texts.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryTokenizerEndsSoonAndGivesTheTextBack(string name)
    {
        string text = Texts[name]();
        foreach (ITokenizer tokenizer in Tokenizers)
        {
            int[] ids = tokenizer.EncodeWithSpecial(text);
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.True(name != "special tokens" || tokenizer is SentencePieceTokenizer || ids.Length == Million / 13);
        }
    }

    [Fact]
    public void WarmTextTakesNoMemoryButItsResult()
    {
        string text = string.Concat(Enumerable.Range(0, 2000).Select(i => $" word{i % 50} and more"));
        foreach (ITokenizer tokenizer in Tokenizers)
        {
            int ids = tokenizer.Encode(text).Length;
            long before = GC.GetAllocatedBytesForCurrentThread();
            tokenizer.Encode(text);
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            // The ids twice (as they grow, and the result), the places of the words, and the text with other spaces.
            Assert.True(bytes < 32 * ids + 16 * text.Length + 4096, $"{bytes} bytes for {text.Length} characters, {ids} tokens");
        }
    }

    [Fact]
    public void ThreadsAgreeWithOneThread()
    {
        foreach (ITokenizer tokenizer in Tokenizers)
        {
            string[] texts = [.. Enumerable.Range(0, 500).Select(i => $" word{i % 97} the cat{i} 数{i % 7} 😀<|endoftext|>")];
            int[][] actual = new int[texts.Length][];
            Parallel.For(0, texts.Length, i => actual[i] = tokenizer.EncodeWithSpecial(texts[i]));
            for (int i = 0; i < texts.Length; i++)
            {
                Assert.Equal(tokenizer.EncodeWithSpecial(texts[i]), actual[i]);
            }
        }
    }

    private static readonly ITokenizer[] Tokenizers =
    [
        Tokenizer.Load(TokenizerFixtures.PathOf("tok512.bin")),
        TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf("smollm2.txt.gz", "smollm", specials: 17)),
        TokenizerFixtures.LoadGguf(TokenizerFixtures.Gguf("gpt2.txt.gz", "llama-bpe", specials: 0)),
    ];
}
