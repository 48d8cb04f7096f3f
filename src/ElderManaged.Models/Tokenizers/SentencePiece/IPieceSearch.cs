namespace ElderManaged.Models.Tokenizers;

/// <summary>Cuts normalized text into pieces.</summary>
internal interface IPieceSearch
{
    /// <summary>Finds the pieces of a text.</summary>
    /// <param name="text">The text, with "▁" for spaces.</param>
    /// <param name="symbols">
    /// Receives ids of pieces and, for characters that are in no piece, the complement of their code point; as long as the text.
    /// </param>
    /// <returns>The number of symbols.</returns>
    int Find(ReadOnlySpan<char> text, Span<int> symbols);
}
