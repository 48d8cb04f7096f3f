namespace ElderManaged.Models.Tokenizers;

/// <summary>When a space is put before a text, so that its first word is the token it is elsewhere.</summary>
internal enum DummySpace
{
    /// <summary>Never.</summary>
    None,

    /// <summary>Before every text that is not empty.</summary>
    Always,

    /// <summary>Unless the text begins with a space.</summary>
    UnlessThere,
}

/// <summary>In what tokenizers of the SentencePiece family differ.</summary>
internal sealed record SentencePieceOptions
{
    /// <summary>Where it came from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>The vocabulary in order of ids.</summary>
    public required Piece[] Pieces { get; init; }

    /// <summary>The merges in their order; null if the pieces' scores decide.</summary>
    public IReadOnlyList<(int Left, int Right)>? Merges { get; init; }

    /// <summary>Whether the vocabulary is a unigram model (the most probable cut) instead of merges.</summary>
    public bool Unigram { get; init; }

    /// <summary>Tokens that are found in text before it is normalized; null for the control pieces, as special ones.</summary>
    public IReadOnlyList<AddedToken>? Added { get; init; }

    public DummySpace DummySpace { get; init; } = DummySpace.Always;

    /// <summary>Whether the space comes also before text that follows an added token, and not only at the beginning.</summary>
    public bool DummySpaceAfterAdded { get; init; } = true;

    /// <summary>Whether spaces before and after a text and all but one of several between words are dropped.</summary>
    public bool RemoveExtraSpaces { get; init; }

    /// <summary>Replaces characters before anything else; null for none.</summary>
    public CharacterMap? Characters { get; init; }

    /// <summary>Whether characters that are no piece become bytes instead of the unknown token.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether several unknown characters in a row are one unknown token.</summary>
    public bool FuseUnknown { get; init; } = true;

    /// <summary>How the unknown token is decoded.</summary>
    public string UnknownText { get; init; } = " \u2047 ";

    public int? BeginOfTextId { get; init; }

    public required int EndOfTextId { get; init; }

    public int[] Prefix { get; init; } = [];

    public int[] Suffix { get; init; } = [];
}
