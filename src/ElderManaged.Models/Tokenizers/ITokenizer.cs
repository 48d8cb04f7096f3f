namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Turns text into token ids and back. Implementations are safe to use from several threads at once.
/// </summary>
public interface ITokenizer
{
    /// <summary>Number of tokens; ids run from 0 to this number minus one.</summary>
    int VocabularySize { get; }

    /// <summary>Id of the token that ends a document (<c>&lt;|endoftext|&gt;</c> for GPT-2).</summary>
    int EndOfTextId { get; }

    /// <summary>
    /// Encodes plain text. A special token written out in the text is treated as ordinary characters,
    /// so text from outside can never end a document.
    /// </summary>
    /// <param name="text">The text; nothing is added before or after it.</param>
    /// <returns>The token ids.</returns>
    int[] Encode(string text);

    /// <summary>Encodes text in which special tokens that are written out stand for themselves.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The token ids.</returns>
    int[] EncodeWithSpecial(string text);

    /// <summary>Decodes ids to text. Bytes that form no whole character become U+FFFD.</summary>
    /// <param name="ids">The token ids.</param>
    /// <returns>The text.</returns>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>The text of one token, as <see cref="Decode"/> shows it when it stands alone.</summary>
    /// <param name="id">The token's id.</param>
    /// <returns>The text.</returns>
    string TokenText(int id);
}
