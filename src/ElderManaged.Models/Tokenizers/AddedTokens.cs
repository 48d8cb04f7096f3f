using System.Buffers;

namespace ElderManaged.Models.Tokenizers;

/// <summary>A token that stands in the text as it is written, beside what the merges make.</summary>
/// <param name="Text">How it is written.</param>
/// <param name="Id">Its id.</param>
/// <param name="Special">Whether it means something to the model (begin, end, a chat role) instead of being text.</param>
internal sealed record AddedToken(string Text, int Id, bool Special);

/// <summary>Finds added tokens in text: the leftmost, of those the longest.</summary>
internal sealed class AddedTokens
{
    private readonly AddedToken[] _longestFirst;
    private readonly SearchValues<string> _all;
    private readonly SearchValues<string> _ordinary;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        _longestFirst = [.. tokens.Where(t => t.Text.Length > 0).OrderByDescending(t => t.Text.Length)];
        _all = SearchValues.Create([.. _longestFirst.Select(t => t.Text)], StringComparison.Ordinal);
        _ordinary = SearchValues.Create([.. _longestFirst.Where(t => !t.Special).Select(t => t.Text)], StringComparison.Ordinal);
    }

    /// <summary>No tokens.</summary>
    public static AddedTokens None { get; } = new([]);

    /// <summary>Where the next token begins, or -1.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether special tokens are looked for as well.</param>
    /// <param name="found">The token.</param>
    public int Find(ReadOnlySpan<char> text, bool special, out AddedToken found)
    {
        found = null!;
        if (_longestFirst.Length == 0)
        {
            return -1;
        }

        int at = text.IndexOfAny(special ? _all : _ordinary);
        if (at >= 0)
        {
            foreach (AddedToken token in _longestFirst)
            {
                if ((special || !token.Special) && text[at..].StartsWith(token.Text, StringComparison.Ordinal))
                {
                    found = token;
                    break;
                }
            }
        }

        return at;
    }
}
