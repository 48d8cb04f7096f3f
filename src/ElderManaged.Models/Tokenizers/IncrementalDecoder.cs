using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Decodes tokens as they come. A token may end in the middle of a character; what is not whole yet is kept back until
/// it is, so that no piece of text ends inside one. All pieces with <see cref="Finish"/> are what decoding everything at
/// once gives. For one thread; made by <see cref="ITokenizer.CreateDecoder"/>.
/// </summary>
public sealed class IncrementalDecoder
{
    private readonly TokenBytes _tokens;
    private readonly Decoder _characters;
    private bool _atStart;

    internal IncrementalDecoder(TokenBytes tokens, bool continuation)
    {
        _tokens = tokens;
        _characters = tokens.Encoding.GetDecoder();
        _atStart = !continuation;
    }

    /// <summary>Takes a token.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>The characters that are whole now, often none.</returns>
    public string Append(int id) => Read(_tokens.Next(id, ref _atStart), flush: false);

    /// <summary>Takes several tokens.</summary>
    /// <param name="ids">Their ids.</param>
    /// <returns>The characters that are whole now.</returns>
    public string Append(ReadOnlySpan<int> ids)
    {
        StringBuilder text = new();
        foreach (int id in ids)
        {
            text.Append(Append(id));
        }

        return text.ToString();
    }

    /// <summary>Ends the text.</summary>
    /// <returns>U+FFFD for a character that was begun and never completed; else nothing.</returns>
    public string Finish() => Read([], flush: true);

    private string Read(ReadOnlySpan<byte> bytes, bool flush)
    {
        // A byte gives at most one character, and up to three were waiting.
        int most = bytes.Length + 4;
        Span<char> characters = most <= 256 ? stackalloc char[most] : new char[most];
        int n = _characters.GetChars(bytes, characters, flush);
        return n == 0 ? "" : new string(characters[..n]);
    }
}
