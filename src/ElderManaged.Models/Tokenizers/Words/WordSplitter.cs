using System.Text.RegularExpressions;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// The first step of byte-level tokenizers: cuts text into words (with their leading space), numbers, runs of signs and
/// runs of white space. Merges never cross these cuts. Several patterns work one after the other, each on the pieces of
/// the one before.
/// </summary>
internal sealed partial class WordSplitter
{
    // As published; .NET has the same \s, \p{L} and \p{N}. https://github.com/openai/gpt-2/blob/9b63575/src/encoder.py
    private const string Gpt2Words = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    // "(?i:'s|'t|'re|'ve|'m|'ll|'d)" is written out, because .NET's and the originals' ideas of case differ: they also take ſ for s.
    private const string Llama3Words =
        @"'(?:[sS\u017FtTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private readonly Regex[] _steps;

    private WordSplitter(params Regex[] steps) => _steps = steps;

    /// <summary>GPT-2's words.</summary>
    public static WordSplitter Gpt2 { get; } = new(Gpt2Pattern());

    /// <summary>SmolLM's words: GPT-2's, but every digit stands alone.</summary>
    public static WordSplitter SmolLm { get; } = new(DigitPattern(), Gpt2Pattern());

    /// <summary>LLaMA-3's words.</summary>
    public static WordSplitter Llama3 { get; } = new(Llama3Pattern());

    /// <summary>What llama.cpp takes for a GGUF file whose <c>tokenizer.ggml.pre</c> is <c>default</c> or missing.</summary>
    public static WordSplitter LlamaCppDefault { get; } =
        new(PunctuationPattern(), Gpt2Pattern(), NumberPattern(), ThreeDigitsPattern());

    /// <summary>Several splitters, one after the other.</summary>
    public static WordSplitter Chain(IEnumerable<WordSplitter> splitters) => new([.. splitters.SelectMany(s => s._steps)]);

    /// <summary>Every number character alone, or runs of them.</summary>
    public static WordSplitter Digits(bool individual) => new(individual ? DigitPattern() : NumberPattern());

    /// <summary>The splitter for a pattern as <c>tokenizer.json</c> files have it, or null if it is none of those known.</summary>
    public static WordSplitter? ForPattern(string pattern) => pattern switch
    {
        Gpt2Words => Gpt2,
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+" => Llama3,
        _ => null,
    };

    /// <summary>Appends the pieces of <paramref name="text"/>; together they are the whole text.</summary>
    public void Split(ReadOnlySpan<char> text, List<(int Start, int Length)> pieces)
    {
        ShadowText shadow = new(text);
        int first = pieces.Count;
        Split(shadow.Classes, 0, 0, pieces);
        if (!shadow.IsShorter)
        {
            return;
        }

        for (int i = first; i < pieces.Count; i++)
        {
            int start = shadow.Place(pieces[i].Start);
            pieces[i] = (start, shadow.Place(pieces[i].Start + pieces[i].Length) - start);
        }
    }

    private void Split(ReadOnlySpan<char> text, int offset, int step, List<(int, int)> pieces)
    {
        if (step == _steps.Length)
        {
            if (text.Length > 0)
            {
                pieces.Add((offset, text.Length));
            }

            return;
        }

        int end = 0;
        foreach (ValueMatch match in _steps[step].EnumerateMatches(text))
        {
            Split(text[end..match.Index], offset + end, step + 1, pieces);
            end = match.Index + match.Length;
            Split(text[match.Index..end], offset + match.Index, step + 1, pieces);
        }

        Split(text[end..], offset + end, step + 1, pieces);
    }

    [GeneratedRegex(Gpt2Words, RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2Pattern();

    [GeneratedRegex(Llama3Words, RegexOptions.CultureInvariant)]
    private static partial Regex Llama3Pattern();

    [GeneratedRegex(@"\p{N}", RegexOptions.CultureInvariant)]
    private static partial Regex DigitPattern();

    [GeneratedRegex(@"\p{N}+", RegexOptions.CultureInvariant)]
    private static partial Regex NumberPattern();

    [GeneratedRegex(@"[\p{P}$+<=>^~|]+", RegexOptions.CultureInvariant)]
    private static partial Regex PunctuationPattern();

    [GeneratedRegex("[0-9][0-9][0-9]", RegexOptions.CultureInvariant)]
    private static partial Regex ThreeDigitsPattern();
}
