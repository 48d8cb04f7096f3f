namespace ElderManaged.Models.Tokenizers;

/// <summary>In what the byte-level tokenizers of different models differ.</summary>
internal sealed record ByteLevelOptions
{
    /// <summary>How text is cut into words.</summary>
    public WordSplitter Words { get; init; } = WordSplitter.Gpt2;

    /// <summary>Tokens that stand in the text as they are written; ids that are in the vocabulary already, or follow it.</summary>
    public required IReadOnlyList<AddedToken> Added { get; init; }

    /// <summary>Whether a word that is a token itself becomes that token, whatever its merges would give (LLaMA-3).</summary>
    public bool WholeWordsFirst { get; init; }

    /// <summary>
    /// Whether the vocabulary may lack single bytes, as SmolLM's lacks some control characters; what is lacking is left out
    /// of the text or becomes <see cref="UnknownId"/>, as in the original.
    /// </summary>
    public bool MayLackBytes { get; init; }

    /// <summary>Stands for a byte that is no token; null to leave it out.</summary>
    public int? UnknownId { get; init; }

    public required int EndOfTextId { get; init; }

    public int? BeginOfTextId { get; init; }

    public int[] Prefix { get; init; } = [];

    public int[] Suffix { get; init; } = [];
}
