namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Turns text into token ids and back. Implementations are safe to use from several threads at once.
/// </summary>
/// <remarks><see cref="Tokenizer.Load"/> makes one from any of the files that models come with.</remarks>
public interface ITokenizer
{
    /// <summary>Number of tokens; ids run from 0 to this number minus one.</summary>
    int VocabularySize { get; }

    /// <summary>Id of the token that ends a document (<c>&lt;|endoftext|&gt;</c> for GPT-2, <c>&lt;/s&gt;</c> for LLaMA).</summary>
    int EndOfTextId { get; }

    /// <summary>Id of the token that begins a document, or null if there is none.</summary>
    int? BeginOfTextId { get; }

    /// <summary>What the model expects before every text: LLaMA's <c>&lt;s&gt;</c>, nothing for GPT-2.</summary>
    IReadOnlyList<int> TextPrefix { get; }

    /// <summary>What the model expects behind every whole text; nothing for most.</summary>
    IReadOnlyList<int> TextSuffix { get; }

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

    /// <summary>
    /// Encodes plain text that goes on after other text, for example an answer after its question. SentencePiece puts a
    /// space before a text that stands alone; here it does not, so that " Rome" is the token "▁Rome".
    /// </summary>
    /// <param name="text">The text, with the space that parts it from what comes before.</param>
    /// <returns>The token ids.</returns>
    int[] EncodeContinuation(string text);

    /// <summary>Decodes ids to text. Bytes that form no whole character become U+FFFD.</summary>
    /// <param name="ids">The token ids.</param>
    /// <returns>The text.</returns>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>Starts a decoding that gets one token after the other.</summary>
    /// <param name="continuation">
    /// Whether the tokens go on after other text, so that a space before the first word is kept; false for the text that
    /// <see cref="Decode"/> gives.
    /// </param>
    IncrementalDecoder CreateDecoder(bool continuation = false);

    /// <summary>The text of one token inside a text, with the space it begins with; U+FFFD for a part of a character.</summary>
    /// <param name="id">The token's id.</param>
    /// <returns>The text.</returns>
    string TokenText(int id);
}
