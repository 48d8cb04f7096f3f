using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Reads token ids as words: where the last sentence begins, and which words it holds, in a form in which " Paris",
/// "Paris" and "paris" are the same although they are different tokens. Made from a tokenizer; immutable.
/// </summary>
public sealed class PromptWords
{
    private const ulong Start = 0xCBF29CE484222325; // FNV-1a (Fowler, Noll, Vo), over characters instead of bytes
    private const ulong Prime = 0x100000001B3;
    private const char Unreadable = '\uFFFD';
    private const string Closing = "\"'”’»)]";

    private static readonly FrozenSet<string> Abbreviations = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Mt", "Ft", "Jr", "Sr", "vs", "Inc", "Ltd", "Co", "Corp", "Gen", "Col", "Capt", "Sgt", "Lt", "Sen", "Rep", "Gov", "Rev");

    private readonly string[] texts;

    /// <summary>Prepares the texts of all tokens.</summary>
    public PromptWords(ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        texts = new string[tokenizer.VocabularySize];
        ulong hash = Start;
        for (int id = 0; id < texts.Length; id++)
        {
            texts[id] = tokenizer.TokenText(id);
            hash = (hash ^ (ulong)id) * Prime;
            foreach (char c in texts[id])
            {
                hash = (hash ^ c) * Prime;
            }
        }

        Identity = hash;
    }

    /// <summary>The number of tokens known.</summary>
    public int VocabularySize => texts.Length;

    /// <summary>A hash over the texts of all tokens.</summary>
    public ulong Identity { get; }

    /// <summary>
    /// The index of the first token of the last sentence: the place behind the last sentence end that leaves at least
    /// <paramref name="fewestWords"/> words after it; the first token with a text if there is none.
    /// </summary>
    /// <remarks>
    /// Counting words keeps "Q: Where was Ada born? A:" whole, whose "A:" is no sentence of its own. A full stop ends no
    /// sentence after an initial or a common abbreviation, nor in the middle of "3.5" or "example.org".
    /// </remarks>
    public int LastSentence(ReadOnlySpan<int> ids, int fewestWords)
    {
        StringBuilder joined = new();
        int[] starts = new int[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            starts[i] = joined.Length;
            joined.Append(Text(ids[i]));
        }

        string text = joined.ToString();
        int words = 0, token = ids.Length - 1;
        for (int at = text.Length - 1; at > 0; at--)
        {
            words += IsWord(text[at]) && !IsWord(text[at - 1]) ? 1 : 0;
            while (starts[token] > at)
            {
                token--;
            }

            // Cut only between tokens: the end mark, with a closing quote if there is one, is the last of its token.
            if (words >= fewestWords && starts[token] == at && EndsSentence(text, at))
            {
                return token;
            }
        }

        // A token that begins every text, such as LLaMA's <s>, is no part of the sentence.
        int first = 0;
        while (first < ids.Length && Text(ids[first]).Length == 0)
        {
            first++;
        }

        return first < ids.Length ? first : 0;
    }

    /// <summary>The hashes of the different words of a stretch of tokens, in the order of their first appearance.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="namesOnly">Only words that begin with a capital letter or a digit, as names do.</param>
    public ulong[] Words(ReadOnlySpan<int> ids, bool namesOnly = false)
    {
        List<ulong> words = [];
        Read(ids, (hash, capital) =>
        {
            if ((capital || !namesOnly) && !words.Contains(hash))
            {
                words.Add(hash);
            }
        });
        return [.. words];
    }

    /// <summary>The hash of every word of a stretch of tokens, with repetitions, and whether it looks like a name.</summary>
    internal void Read(ReadOnlySpan<int> ids, Action<ulong, bool> add)
    {
        ulong hash = Start;
        bool open = false, capital = false;
        void Close()
        {
            if (open)
            {
                add(hash, capital);
                (hash, open) = (Start, false);
            }
        }

        foreach (int id in ids)
        {
            foreach (char c in Text(id))
            {
                if (!IsWord(c))
                {
                    Close();
                    continue;
                }

                if (WrittenWithoutSpaces(c))
                {
                    Close();
                }

                capital = open ? capital : char.IsUpper(c) || char.IsDigit(c);
                hash = (hash ^ char.ToLowerInvariant(c)) * Prime;
                if (c == Unreadable)
                {
                    hash = (hash ^ ((ulong)id << 16)) * Prime; // a part of a character: only the token tells which
                }

                open = true;
                if (WrittenWithoutSpaces(c))
                {
                    Close();
                }
            }
        }

        Close();
    }

    /// <summary>A hash of the token ids themselves.</summary>
    internal static ulong Exact(ReadOnlySpan<int> ids)
    {
        ulong hash = Start;
        foreach (int id in ids)
        {
            hash = (hash ^ (uint)id) * Prime;
        }

        return hash;
    }

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || char.IsSurrogate(c) || c == Unreadable ||
        char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    // Chinese, Japanese and Thai have no spaces between words: every character counts as one.
    private static bool WrittenWithoutSpaces(char c) => c is (>= '\u2E80' and <= '\u9FFF') or (>= '\uF900' and <= '\uFAFF') or (>= '\u0E00' and <= '\u0E7F');

    /// <summary>Whether a sentence ends right before position <paramref name="at"/>.</summary>
    private static bool EndsSentence(string text, int at)
    {
        int last = at - 1;
        if (text[last] == '\n')
        {
            return true;
        }

        while (last > 0 && Closing.Contains(text[last]))
        {
            last--;
        }

        if (text[last] is '。' or '！' or '？')
        {
            return true;
        }

        if (text[last] is not ('.' or '!' or '?' or '…' or '।') || !char.IsWhiteSpace(text[at]) || GoesOn(text, at))
        {
            return false;
        }

        if (text[last] != '.')
        {
            return true;
        }

        int first = last;
        while (first > 0 && char.IsLetter(text[first - 1]))
        {
            first--;
        }

        return last - first != 1 && !Abbreviations.Contains(text[first..last]);
    }

    // "Which channel did Shake! first appear on?": a small letter begins no sentence, unless the writer uses no capitals at all.
    private static bool GoesOn(string text, int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
        {
            at++;
        }

        return at < text.Length && char.IsLower(text[at]) && text.Any(char.IsUpper);
    }

    private string Text(int id) => (uint)id < (uint)texts.Length
        ? texts[id]
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"Token ids run from 0 to {texts.Length - 1}.");
}
